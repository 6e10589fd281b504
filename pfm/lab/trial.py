"""A policy at work on real frames, and verified."""

from ..address import PFN
from ..alloc.runs import first_taken, order_for
from ..alloc.zone import zone_of
from ..arguments import frame_count
from ..errors import FrameStateError, OutOfFramesError, PolicyError
from ..tags import tag_number

TAG = "lab"


class Trial:
    """Allocates from the longest free range of `manager` as the class `policy` decides.

    The frames belong to `manager`: its reports show them, with the tag "lab", and what the
    policy hands out is allocated there by `alloc_at`.  Nobody else may allocate from that
    manager meanwhile, so it best is a sandbox.  `first` and `count` are the range.
    """

    def __init__(self, manager, policy):
        self._manager = manager
        longest = manager.largest_free()
        self.first = longest.pfn
        self.count = longest.frames
        self.name = policy.__name__
        self.policy = policy(self.first, self.count)
        # The frames that were asked for and not given back.
        self.used = 0

    def alloc(self, count):
        """Allocate `count` frames in a row and return the first.

        Raises OutOfFramesError if the policy finds none, PolicyError if it hands out what is
        not free, ArgumentError, TypeError.
        """
        count = frame_count(count)
        pfn = self.policy.alloc(count)
        if not pfn:
            free = self._manager.count_free()
            raise OutOfFramesError(zone_of(self.first), order_for(count), count, free)
        if not self.first <= pfn <= self.first + self.count - count:
            raise PolicyError(self.name, pfn, "hands out, outside of its range,")
        try:
            self._manager.alloc_at(pfn, count, tag=TAG)
        except FrameStateError as error:
            raise PolicyError(self.name, error.pfn, "hands out a second time")
        except BaseException as error:
            self.policy.free(pfn, count)
            raise error
        self.used += count
        return pfn

    def free(self, pfn):
        """Free the frames that `alloc` returned as `pfn`.

        Raises as the manager's `free`, FrameStateError too for frames of others.
        """
        manager = self._manager
        state = manager.describe(pfn)
        known = manager.identify(PFN(pfn))
        if known.tag is not None and known.tag != tag_number(TAG):
            raise FrameStateError("free", pfn, state + ", but not by this trial")
        manager.free(pfn)
        self.policy.free(pfn, known.frames)
        self.used -= known.frames

    def unusable(self):
        """Return the share of the free frames, 0 to 1, that are not in the longest free range.

        It is 1 if none is free.
        """
        lengths = [count for _, count in self.policy.free_ranges()]
        return 1 - max(lengths) / sum(lengths) if lengths else 1

    def check(self):
        """Check the manager, and that what the policy calls free is free, once, and all if unused.

        Raises PolicyError for the first frame of which that is not so, InvariantError.
        """
        manager = self._manager
        manager.drain()
        manager.check()
        at = self.first
        free = 0
        for pfn, count in sorted(self.policy.free_ranges()):
            if not self.first <= pfn <= self.first + self.count - count:
                raise PolicyError(self.name, pfn, "calls free, outside of its range,")
            if pfn < at:
                raise PolicyError(self.name, pfn, "calls free twice")
            at = pfn + count
            taken = first_taken(manager.array.address, pfn, at)
            if taken != at:
                raise PolicyError(self.name, taken, "calls free, and handed out,")
            free += count
        if not self.used and free != self.count:
            raise PolicyError(self.name, self.first, "has lost frames of the range from")
