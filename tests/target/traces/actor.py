"""What one processor does: how often each operation, and what it has meanwhile."""

from tests.target.traces.allocations import give_back
from tests.target.traces.blocks import Blocks
from tests.target.traces.box import Box
from tests.target.traces.claims import Claims
from tests.target.traces.core import Core
from tests.target.traces.flags import Flags
from tests.target.traces.interpreter import Interpreter
from tests.target.traces.locks import Locks
from tests.target.traces.objects import Objects
from tests.target.traces.refusals import Refusals
from tests.target.traces.reports import Reports
from tests.target.traces.views import Views

from pfm import PFM


class Actor(
    Core,
    Claims,
    Blocks,
    Flags,
    Locks,
    Objects,
    Box,
    Refusals,
    Reports,
    Views,
    Interpreter,
):
    """One processor's operations, and what it has; `traces` is what all share.

    Combines sibling classes of operations over this one state.  No sibling derives from
    another.
    """

    def __init__(self, traces, number, seed):
        super().__init__(traces, number, seed)
        self.steps = 0
        self.operation = None
        self._growing = True
        self._kept = []
        self.blocks = []
        self.objects = []
        self.frames = 0
        # A frame whose guard an interrupt may have lost.
        self.guarded = 0
        # This processor's bit of the frame of all, and how often it refers to it.
        self.flag_of_all = False
        self.references = 0
        self._operations = (
            [self._alloc] * 14
            + [self._alloc_fast] * 20
            + [self._free] * 28
            + [self._alloc_many] * 2
            + [self._alloc_contiguous] * 3
            + [self._alloc_at, self._alloc_recent]
            + [self._ref, self._unref] * 5
            + [self._flag] * 6
            + [self._flag_of_all, self._reference_to_all, self._stray_flag] * 3
            + [self._guard] * 3
            + [self._guard_of_all, self._counter, self._disable_irq] * 2
            + [self._malloc] * 12
            + [self._mfree] * 12
            + [self._looks_free, self._cache]
            + [self._send, self._receive, self._receive] * 2
            + [self._wrong_frame, self._wrong_object, self._wrong_argument, self._identify] * 2
            + [self._view, self._fault, self._fault]
            + [self._objects] * 6
            + [self._compile, self._report]
        )
        # Each of them takes as long as hundreds of others, or stops them.
        self._seldom = [self._collect] * 4 + [self._overflow] * 2 + [self._drain, self._hog]

    def run(self, operations):
        """Do that many operations, or fewer if the traces halt."""
        for _ in range(operations):
            if self.traces.halts():
                return
            if self.steps & 0x7F == 0:
                self._growing = not self._growing
            operation = self._operations[self._random(len(self._operations))]
            if self._chance(150):
                operation = self._seldom[self._random(len(self._seldom))]
            self.operation = operation
            operation()
            self.steps += 1

    def give_back(self):
        """Give back all that this processor has, at the end."""
        for block in self.blocks:
            self.look_at_block(block, self.owner)
            give_back(block)
        for item in self.objects:
            self.free_object(item)
        for _ in range(self.references):
            PFM.unref(self.traces.shared)
