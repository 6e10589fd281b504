"""The check before timing that a peer did the same work."""


class DisagreementError(Exception):
    """`who` gave `found` for `work`, the frame manager `expected`."""


def agree(work, who, found, expected):
    """Raise DisagreementError unless both are equal."""
    if found != expected:
        raise DisagreementError(
            "{}: {} gave {}, the frame manager {}".format(work, who, found, expected)
        )
