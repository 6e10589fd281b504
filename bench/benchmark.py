"""Runs the suite where MicroPython runs, and prints a line of JSON for each row.

micropython -m bench.benchmark
"""

import json

from .suite import rows


def run():
    """Print the rows of the suite, each as `BENCH {…}`, as they come."""
    for row in rows():
        print("BENCH", json.dumps(row.values()))


if __name__ == "__main__":
    run()
