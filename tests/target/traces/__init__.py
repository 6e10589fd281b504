"""Random operations on all processors at once, each beside a model of what it may see.

    from tests.target.traces.run import Traces
    Traces(seed=1).run(20000)

Each processor draws its operations from a generator of its own.  What it was given it notes in
a table that all share, a word for each frame, and stamps into the memory: so a frame or an object
that was given out twice is seen at once.  Blocks and objects go from one processor to another
through a box.  After each round the others wait, and everything is compared.

`storm` answers interrupts meanwhile, as tests/target/storm.py does for one processor.

    run.py           Traces: rounds, looks, interrupts
    shared.py        what the processors share
    actor.py         Actor: what one processor does, and how often
    core.py          random choice, and what is expected
    claims.py        the blocks that a processor has
    stamps.py        the table, and what is written to memory
    allocations.py   blocks and objects, as the model knows them
    disagreement.py  what is raised where the manager differs from the model

The operations are in blocks.py, flags.py, locks.py, objects.py, box.py (from one processor to
another), refusals.py (what is not allowed), reports.py, views.py (pages) and interpreter.py.
"""
