"""Runs the suite on the port that runs this, and prints a line of JSON per row.

micropython -m bench.benchmark
"""

import json

from .suite import rows


def run():
    """Print each row of the suite as `BENCH {…}` as soon as it is measured."""
    for row in rows():
        print("BENCH", json.dumps(row.values()))


if __name__ == "__main__":
    run()
