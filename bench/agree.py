"""The check before timing: that a peer did the same work."""


class DisagreementError(Exception):
    """`who`'s way to do `work` gave `found` where the frame manager's gave `expected`."""


def agree(work, who, found, expected):
    """Raise DisagreementError unless both are equal."""
    if found != expected:
        raise DisagreementError(
            "{}: {} came to {}, the frame manager to {}".format(work, who, found, expected)
        )
