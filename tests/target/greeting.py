"""A module for `run=` on the kernel's command line (tests/host/test_run.py)."""


def run():
    """Print a line."""
    print("greetings")
