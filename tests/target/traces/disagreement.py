"""What is raised where the manager does what the model does not allow."""


class Disagreement(Exception):
    """A processor saw what the model does not allow."""


def same(found, wanted):
    """Raise Disagreement unless both are equal."""
    if found != wanted:
        raise Disagreement("{}, expected {}".format(found, wanted))
