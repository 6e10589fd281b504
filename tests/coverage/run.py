"""Runs a test file on an instrumented copy: run.py PROBES HITS TEST."""

import sys

import ktap
import probe

probe.hits = bytearray(int(sys.argv[1]))
failed = ktap._main(sys.argv[3:])
with open(sys.argv[2], "wb") as file:
    file.write(probe.hits)
sys.exit(1 if failed else 0)
