"""A trace: what was allocated and freed, in order, to be done again under other policies."""

from array import array

from ..lock import critical

# The calls that a recording stands in for.
_CALLS = ("alloc", "alloc_contiguous", "free")

# An element is a number of frames << 1, or the index of an allocation << 1 | FREE.
_FREE = 1


class Trace:
    """Allocations and frees in order.  Iterating yields (index, frames), with 0 frames for a free.

    The allocations have the indices 0, 1, 2 …; a free names one of them.
    """

    def __init__(self):
        self._steps = array("I")
        self.allocations = 0

    def __len__(self):
        return len(self._steps)

    def __iter__(self):
        index = 0
        for step in self._steps:
            if step & _FREE:
                yield step >> 1, 0
            else:
                yield index, step >> 1
                index += 1

    def alloc(self, frames):
        """Add an allocation and return its index.  Cost: four bytes of the Python heap."""
        self._steps.append(frames << 1)
        self.allocations += 1
        return self.allocations - 1

    def free(self, index):
        """Add a free of the allocation of that index."""
        self._steps.append(index << 1 | _FREE)


class Recording:
    """Records what a manager's `alloc`, `alloc_contiguous` and `free` do, as a context manager.

    `with` yields the `Trace`.  Frames of other calls are not in it, nor are frees of frames
    that were allocated before.
    """

    def __init__(self, manager):
        self._manager = manager
        self._trace = Trace()
        self._index = {}
        self._before = {}

    def __enter__(self):
        manager = self._manager
        trace = self._trace
        index = self._index
        alloc, alloc_contiguous, free = [getattr(manager, name) for name in _CALLS]

        def recorded(pfn, frames):
            try:
                index[pfn] = trace.allocations
                trace.alloc(frames)
            except BaseException as error:
                # What cannot be recorded is not allocated.
                index.pop(pfn, None)
                free(pfn)
                raise error
            return pfn

        def new_alloc(order=0, *args, **kwargs):
            return recorded(alloc(order, *args, **kwargs), 1 << order)

        def new_alloc_contiguous(count, *args, **kwargs):
            return recorded(alloc_contiguous(count, *args, **kwargs), count)

        def new_free(pfn):
            free(pfn)
            at = index.pop(pfn, None)
            if at is not None:
                trace.free(at)

        own = manager.__dict__
        self._before = {name: own[name] for name in _CALLS if name in own}
        with critical():
            manager.alloc = new_alloc
            manager.alloc_contiguous = new_alloc_contiguous
            manager.free = new_free
        return trace

    def __exit__(self, kind, value, traceback):
        manager = self._manager
        with critical():
            # A sandbox that was closed in the block has no calls any more.
            if manager.initialised:
                for name in _CALLS:
                    if name in self._before:
                        setattr(manager, name, self._before[name])
                    else:
                        delattr(manager, name)
