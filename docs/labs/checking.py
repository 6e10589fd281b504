"""Checks the work on a lab, step by step: `check(2)`, or `check(2, "solution")`."""

try:
    import cpu
except ImportError:
    cpu = None

LABS = (
    "lab1_memory_map",
    "lab2_page_cache",
    "lab3_leak",
    "lab4_fragmentation",
    "lab5_copy_on_write",
)


class CheckFailed(Exception):
    """What a step expects does not hold; its text says what was found, and gives a hint."""


class Skipped(Exception):
    """A step cannot run on this port; its text is the reason."""


def need_kernel(what):
    """Raise Skipped on the unix port, which lacks `what`."""
    if cpu is None:
        raise Skipped("only the kernel has " + what)


def expect(holds, hint):
    """Raise CheckFailed with the hint unless `holds`."""
    if not holds:
        raise CheckFailed(hint)


def expect_equal(found, expected, hint):
    """Raise CheckFailed with both values and the hint unless they are equal."""
    expect(found == expected, "found {}, expected {}; hint: {}".format(found, expected, hint))


def check(lab, work="start"):
    """Check the module `work` of the lab of that number; return nothing.

    Raises CheckFailed at the first step that does not hold, ValueError if there is no such
    lab, and what the work raises.
    """
    if lab not in range(1, len(LABS) + 1):
        raise ValueError("lab: 1 to {}, not {}".format(len(LABS), lab))
    folder = LABS[lab - 1]
    steps = __import__(folder + ".check", None, None, ("STEPS",)).STEPS
    module = __import__("{}.{}".format(folder, work), None, None, (work,))
    for number, (text, step) in enumerate(steps, 1):
        try:
            step(module)
        except Skipped as reason:
            print("skipped {}: {}: {}".format(number, text, reason))
        except Exception as error:
            print("not ok  {}: {}".format(number, text))
            raise error
        else:
            print("ok      {}: {}".format(number, text))
    print("Lab {}: all steps hold".format(lab))
