"""Runs test functions and reports them in KTAP; on the unix port and, frozen, on the target.

    micropython tests/ktap.py [--slow] tests/unit/test_units.py

A test is a function `test_…` of a module; it passes when it returns.  With
`--slow` every manager does without the fast path (pfm/fastpath/), so that the
same tests hold for the calls behind it.  Source of the format: Linux,
Documentation/dev-tools/ktap.rst, version 1.
"""

import io
import sys

_SLOW = "--slow"


class Skip(Exception):
    """Raised by a test that cannot run here; its text is the reason."""


def skip(reason):
    """End the calling test as skipped."""
    raise Skip(reason)


def raises(error, function, *args, **kwargs):
    """Call `function`, expect exactly that `error` and return it."""
    try:
        result = function(*args, **kwargs)
    except error as found:
        assert type(found) is error, repr(found)
        return found
    raise AssertionError("{} not raised, returned {!r}".format(error.__name__, result))


def equal(found, expected):
    """Expect equality, and show both values otherwise."""
    assert found == expected, "found {!r}, expected {!r}".format(found, expected)


def _tests(modules, pattern):
    for module in modules:
        names = sorted(name for name in dir(module) if name.startswith("test_"))
        for name in names:
            full = "{}.{}".format(module.__name__, name)
            if pattern in full:
                yield full, getattr(module, name)


def run(modules, pattern=""):
    """Run the tests of `modules` whose name contains `pattern`; return how many failed.

    A run of no test at all counts as one failure.
    """
    tests = list(_tests(modules, pattern))
    print("KTAP version 1")
    print("1..{}".format(len(tests)))
    failed = 0 if tests else 1
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
        except Skip as reason:
            print("ok {} {} # SKIP {}".format(number, name, reason))
        except Exception as error:
            failed += 1
            print("not ok {} {}".format(number, name))
            trace = io.StringIO()
            sys.print_exception(error, trace)
            for line in trace.getvalue().rstrip().split("\n"):
                print("# {}".format(line))
        else:
            print("ok {} {}".format(number, name))
    return failed


def _main(arguments):
    if _SLOW in arguments:
        from pfm import PageFrameManager

        PageFrameManager.fast_path = False
    modules = []
    for path in [argument for argument in arguments if argument != _SLOW]:
        sys.path.insert(0, _parent(path))
        modules.append(__import__(path.rsplit("/", 1)[-1].rsplit(".", 1)[0]))
    return run(modules)


def _parent(path):
    return path.rsplit("/", 1)[0] if "/" in path else "."


if __name__ == "__main__":
    sys.path[:0] = [_parent(__file__), _parent(__file__) + "/.."]
    # Tests import this module by its name: the one module for both.
    import ktap

    sys.exit(1 if ktap._main(sys.argv[1:]) else 0)
