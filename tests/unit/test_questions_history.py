"""pfm/questions/history.py: samples of free frames, always over the whole time, in bounded memory."""

from allocation import without_heap
from ktap import equal, raises
from maps import SMALL_8M, THREE_ZONES

from pfm import ArgumentError
from pfm.testing import FakeMachine


def test_samples_are_the_free_frames():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        history = manager.record()
        expected = [manager.count_free()]
        for order in range(9):
            manager.alloc(order)
            manager.alloc(order, zone=order % 3)
            history.sample()
            expected.append(manager.count_free())
        equal([free for _, free in history], expected)
        equal(len(history), 10)
        times = [at for at, _ in history]
        equal(times, sorted(times))
        equal(times[0], 0)


def test_full_record_keeps_every_second_sample():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        history = manager.record(8)
        free = [manager.count_free()]
        for _ in range(99):
            manager.alloc()
            history.sample()
            free.append(manager.count_free())
        kept = [at for _, at in history]
        # One of 16, from the first on: 100 samples, halved until they fit into 8.
        equal(kept, free[::16])


def test_sample_does_not_touch_the_heap():
    with FakeMachine(THREE_ZONES) as machine:
        history = machine.boot().record(4)

        def samples(history):
            for _ in range(20):
                history.sample()

        without_heap(samples, history)
        equal(len(history), 3)


def test_drawn():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        history = manager.record()
        for _ in range(100):
            manager.alloc(3)
            history.sample()
        text = repr(history)
        assert "1 DMA  2 DMA32  3 NORMAL" in text and "101 samples" in text, text
        assert max([len(line) for line in text.split("\n")]) <= 79
        assert len(text.split("\n")) <= 24
        picture = history.svg()
        equal(picture.count("<polyline"), 3)
        assert picture.startswith("<svg") and picture.endswith("</svg>")


def test_zones_without_a_free_frame_are_not_drawn():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        history = manager.record()
        assert "DMA32" not in repr(history)
        equal(history.svg().count("<polyline"), 1)
        manager.alloc_many(sum(manager.count_free()))
        empty = manager.record()
        equal((repr(empty).count("DMA"), empty.svg().count("<polyline")), (1, 1))


def test_arguments():
    with FakeMachine(SMALL_8M) as machine:
        manager = machine.boot()
        for samples in (1, 0, -1, 65537):
            equal(raises(ArgumentError, manager.record, samples).name, "samples")
        raises(TypeError, manager.record, "many")
