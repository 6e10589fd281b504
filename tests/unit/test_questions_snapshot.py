"""pfm/questions/snapshot.py: what was allocated and freed between two times, and nothing else."""

import random

from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES
from recount import busy

from pfm.testing import FakeMachine


def _allocations(rows):
    return [(row.pfn, row.frames, row.tag) for row in rows]


def test_snapshot_has_the_used_blocks():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        for _ in range(2):
            taken = manager.snapshot()
            equal(_allocations(taken), _allocations(manager.blocks("used")))
            equal((len(taken), taken.frames()), (len(list(taken)), manager.meminfo().total.used))
            assert "{} allocations".format(len(taken)) in repr(taken)
            busy(manager)


def test_difference():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        busy(manager)
        first = manager.alloc(3, tag="disk")
        before = manager.snapshot()
        run = manager.alloc_contiguous(77, tag="net")
        manager.free(first)
        changed = manager.snapshot() - before
        equal(_allocations(changed.allocated), [(run, 77, 0x6E657420)])
        equal(_allocations(changed.freed), [(first, 8, 0x6469736B)])
        equal(changed.frames(), 69)
        back = before - manager.snapshot()
        equal((back.allocated, back.freed), (changed.freed, changed.allocated))
        text = repr(changed)
        assert "+ p0x" in text and "- p0x" in text and "net" in text and "disk" in text
        assert "Allocated: 77 frames in 1; freed: 8 frames in 1" in text


def test_nothing_changed():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        busy(manager)
        same = manager.snapshot() - manager.snapshot()
        equal((same.allocated, same.freed, same.frames()), ([], [], 0))


def test_place_taken_by_another():
    """A block that was freed, and one of another length or tag at its place."""
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for count, tag in ((4, "b"), (8, "a")):
            pfn = manager.alloc_at(1024, 4, tag="a")
            before = manager.snapshot()
            manager.free(pfn)
            manager.alloc_at(pfn, count, tag=tag)
            changed = manager.snapshot() - before
            equal((len(changed.allocated), len(changed.freed)), (1, 1))
            manager.free(pfn)


def test_random_changes_against_sets():
    generator = random.Random() if hasattr(random, "Random") else random
    generator.seed(12)
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        held = []
        for _ in range(20):
            before = manager.snapshot()
            then = set(_allocations(before))
            for _ in range(30):
                if held and generator.getrandbits(1):
                    manager.free(held.pop(generator.getrandbits(16) % len(held)))
                else:
                    order = generator.getrandbits(3)
                    held.append(manager.alloc(order, tag=generator.getrandbits(8)))
            after = manager.snapshot()
            now = set(_allocations(after))
            changed = after - before
            equal(_allocations(changed.allocated), sorted(now - then))
            equal(_allocations(changed.freed), sorted(then - now))


def test_many_are_counted_not_listed():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        with manager.leaks() as leaks:
            manager.alloc_many(50)
        lines = repr(leaks).split("\n")
        equal((len(lines), lines[-2]), (23, "+ and 30 more"))


def test_leaks():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        kept = manager.alloc(1)
        with manager.leaks() as leaks:
            manager.free(manager.alloc(5))
            equal(leaks.allocated, [])
            lost = manager.alloc(2, tag="lost")
            # So far.
            equal(_allocations(leaks.allocated), [(lost, 4, 0x6C6F7374)])
            manager.free(kept)
        manager.free(lost)
        equal(_allocations(leaks.allocated), [(lost, 4, 0x6C6F7374)])
        equal(_allocations(leaks.freed), [(kept, 2, 0)])
        equal(leaks.frames(), 2)
        assert "lost" in repr(leaks)
        # Again: it begins anew.
        with leaks:
            pass
        equal((leaks.allocated, leaks.freed), ([], []))


def test_leaks_of_a_block_that_raises():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        leaks = manager.leaks()

        def fail():
            with leaks:
                manager.alloc(1, tag="lost")
                raise ValueError("the block's own")

        equal(str(raises(ValueError, fail)), "the block's own")
        equal(leaks.frames(), 2)


def test_arguments():
    with FakeMachine(SMALL_8M) as machine, FakeMachine(SMALL_8M) as another:
        taken = machine.boot().snapshot()
        other = another.boot().snapshot()
        for before in (other, None, 5):
            assert "Snapshot" in str(raises(TypeError, lambda before=before: taken - before))
        raises(RuntimeError, machine.manager.leaks().frames)
