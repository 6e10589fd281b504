"""A machine of one's own: a manager on frames that another one lends, for experiments that cannot hurt.

Its frames are one run of the lender's and count from 0: frame 0 of the sandbox is the lender's
frame `first`.  Its physical addresses are offsets in the run; its virtual addresses are real,
since the offset of its HHDM is the address of the run.
"""

from .. import processor
from ..address import PAGE_SHIFT
from ..arguments import number
from ..errors import SandboxInUseError
from ..fastpath.install import installed
from ..lock import critical
from ..manager import PageFrameManager
from ..memmap import protocol
from ..memmap.response import Response
from .trace import Recording

TAG = "sbox"

_MIB_SHIFT = 20


class _LentMachine:
    """What a manager needs (machine.py), on `frames` frames that are mapped at `virt`."""

    def __init__(self, virt, frames):
        self.manager = None
        self.hhdm = virt
        # Kept here, since the manager reads it through its address.
        self._response = Response([(0, frames << PAGE_SHIFT, protocol.USABLE)])
        self.memmap_virt = self._response.virt

    def space(self, take_table):
        """Return None: the array lies in the lent frames, which are mapped already."""
        return None

    def leave_loader(self, manager):
        """Do nothing: no loader has memory here."""

    def leave_acpi(self, manager):
        """Do nothing: nor has ACPI."""


class Sandbox(PageFrameManager):
    """A manager of `mib` MiB that `lender`, any initialised manager, lends.

    `with` closes it at the end of the block, whatever is still allocated.  `first` is the
    lender's number of its frame 0, and its frames have the tag "sbox" there, by which
    `blocks(tag="sbox")` finds one that was forgotten.  After `close` every call raises
    NotInitialisedError.  Raises ArgumentError if the lender never had so much,
    OutOfFramesError if it has no such run free, NoRoomError, TypeError.  Cost: that of
    `alloc_contiguous`, and C's memset of 32 bytes for each frame.
    """

    def __init__(self, lender, mib=64, debug=False):
        super().__init__()
        lender._ready()
        most = lender._managed << PAGE_SHIFT >> _MIB_SHIFT
        mib = number("mib", mib, 1, most, "1 to the lender's {} MiB".format(most))
        frames = mib << _MIB_SHIFT >> PAGE_SHIFT
        self._lender = lender
        self._inner = []
        with critical():
            self.first = lender.alloc_contiguous(frames, tag=TAG)
            try:
                self.init(
                    _LentMachine(lender.as_virt(self.first << PAGE_SHIFT), frames),
                    debug,
                    lender._processors,
                )
                if isinstance(lender, Sandbox):
                    lender._inner.append(self)
            except BaseException as error:
                lender.free(self.first)
                raise error

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.close(force=True)

    def close(self, force=False):
        """Give the memory back, as one run; does nothing the second time.

        Raises SandboxInUseError if frames are allocated, unless `force`, or a guard holds one,
        even then; and the errors of `free`.  Then it stays open.  Sandboxes that this one lent
        to are closed first.
        """
        if not self.initialised:
            return
        guards = processor.guards(self._cpu)
        inner = [sandbox for sandbox in self._inner if sandbox.initialised]
        frames = 0 if force else self.owners().total
        if guards or frames:
            raise SandboxInUseError(frames, guards)
        for sandbox in inner:
            sandbox.close(force=True)
        stored = installed(self)
        with critical():
            self._lender.free(self.first)
            # Nothing can fail from here on.
            for name in stored:
                delattr(self, name)
            self._detach()

    def recording(self):
        """Return a context manager that records the allocations of its block, as `Trace`.

        It records `alloc`, `alloc_contiguous` and `free`.  Raises NotInitialisedError.
        """
        self._ready()
        return Recording(self)
