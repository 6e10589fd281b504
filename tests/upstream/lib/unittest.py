"""As much of unittest as MicroPython's own tests use, for a board without a network.

Upstream keeps the module in micropython-lib, which no release of the source holds.
"""

import io
import sys


class SkipTest(Exception):
    """The test cannot run here; its text is the reason."""


class _Raises:
    def __init__(self, expected):
        self._expected = expected

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, "{!r} not raised".format(self._expected)
        self.exception = error
        return issubclass(kind, self._expected)


class TestCase:
    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def skipTest(self, reason):
        raise SkipTest(reason)

    def assertTrue(self, found, msg=""):
        assert found, msg or "{!r} is not true".format(found)

    def assertFalse(self, found, msg=""):
        assert not found, msg or "{!r} is not false".format(found)

    def assertEqual(self, found, expected, msg=""):
        assert found == expected, msg or "{!r} is not {!r}".format(found, expected)

    def assertIn(self, item, container, msg=""):
        assert item in container, msg or "{!r} is not in {!r}".format(item, container)

    def assertIsInstance(self, item, kind, msg=""):
        assert isinstance(item, kind), msg or "{!r} is no {!r}".format(item, kind)

    def assertRaises(self, expected, function=None, *args, **kwargs):
        context = _Raises(expected)
        if function is None:
            return context
        with context:
            function(*args, **kwargs)


def skip(reason):
    def decorate(test):
        def skipped(*args):
            raise SkipTest(reason)

        return skipped

    return decorate


def skipIf(condition, reason):
    return skip(reason) if condition else lambda test: test


def _run(case, name):
    """Print and return the verdict on one test: "ok", "skipped" or "FAIL"."""
    verdict = "ok"
    try:
        case.setUp()
        try:
            getattr(case, name)()
        finally:
            case.tearDown()
    except SkipTest as e:
        verdict = "skipped"
        print(e)
    except Exception as e:
        trace = io.StringIO()
        sys.print_exception(e, trace)
        print(trace.getvalue())
        verdict = "FAIL"
    print("{} ... {}".format(name, verdict))
    return verdict


def main():
    """Run every test of `__main__` and print the summary that run-tests.py reads."""
    module = __import__("__main__")
    results = []
    for name in sorted(dir(module)):
        kind = getattr(module, name)
        if isinstance(kind, type) and issubclass(kind, TestCase):
            kind.setUpClass()
            for test in sorted(dir(kind)):
                if test.startswith("test"):
                    results.append(_run(kind(), test))
            kind.tearDownClass()
    failed = results.count("FAIL")
    skipped = results.count("skipped")
    print("-" * 70)
    print("Ran {} tests\n".format(len(results)))
    if failed:
        print("FAILED (failures={}, errors=0)".format(failed))
    else:
        print("OK" + (" (skipped={})".format(skipped) if skipped else ""))
