"""What is at an address: its mapping, frame, zone, region and block."""

from ..address import PAGE_SHIFT, PFN, PFN_LIMIT, PHYS_LIMIT, Phys, unsigned
from ..alloc import buddy
from ..alloc.zone import Zone, zone_of
from ..errors import ArgumentError
from ..frame.entry import (
    COMPOUND_TAIL,
    ENTRY_SHIFT,
    KIND_NAMES,
    ORDER_MASK,
    PART,
    RESERVED,
    STATE_KIND_SHIFT,
    TAIL,
    USED,
    PageFrame,
)
from ..frame.flags import decode_flags
from ..memmap.regions import type_name
from ..paging.tables import (
    CACHE_DISABLE,
    EXECUTE,
    GLOBAL,
    WRITE,
    WRITE_COMBINE,
    WRITE_THROUGH,
)
from ..tags import tag_text
from ..units import human_size, phys_text, virt_text
from .report import Report

_ADDRESS_END = 1 << 64

_MAPPING_FLAGS = (
    # The bits, their value, the name.
    (GLOBAL, GLOBAL, "global"),
    (WRITE_COMBINE, WRITE_THROUGH, "write-through"),
    (WRITE_COMBINE, WRITE_COMBINE, "write-combining"),
    (CACHE_DISABLE, CACHE_DISABLE, "uncached"),
)


def _rights(flags):
    """Return a mapping's flags as `"rw- global"`."""
    rights = "r" + ("w" if flags & WRITE else "-") + ("x" if flags & EXECUTE else "-")
    return " ".join(
        [rights] + [name for bits, value, name in _MAPPING_FLAGS if flags & bits == value]
    )


class Identity(Report):
    """What is known of one address; None for what is not.

    `phys` and `virt` are the two addresses of the byte, `mapping` is (physical address, page
    size in bytes, flags) by the page tables for `virt`.  `entry_of` is the frame whose entry
    is there.  `pfn` is the frame, `zone` its name, `region` its `memmap.Region`, `present`
    whether there is RAM, `flags` its own flags.  `kind`, `head` and `order` are those of its
    block; `first` and `frames` bound the allocation that it belongs to, whose references are
    `rc` and whose tag is `tag`.
    """

    def __init__(self, manager, addr):
        super().__init__()
        self._manager = manager
        self.phys = self.virt = self.mapping = self.entry_of = None
        self.pfn = self.zone = self.region = self.flags = None
        self.kind = self.head = self.order = self.first = self.frames = self.rc = self.tag = None
        self.present = False
        self._resolve(addr)
        if self.phys is not None and self.phys >> PAGE_SHIFT < PFN_LIMIT:
            self._place(self.phys >> PAGE_SHIFT)

    def _resolve(self, addr):
        """Determine the physical and the virtual address that `addr` means, and their mapping."""
        manager = self._manager
        hhdm = manager.hhdm
        array = manager.array
        direct_end = hhdm + (array.count << PAGE_SHIFT)
        array_end = array.base + (array.count << ENTRY_SHIFT)
        if isinstance(addr, PFN):
            addr = Phys(addr << PAGE_SHIFT)
        physical = isinstance(addr, Phys)
        # Unlike int() alone, this raises TypeError for what is not an integer.
        addr = int(addr | 0)
        if not physical and hhdm <= unsigned(addr) < direct_end:
            addr = unsigned(addr)
        if not physical and array.base <= addr < array_end:
            self.entry_of = addr - array.base >> ENTRY_SHIFT
        in_hhdm = not physical and hhdm <= addr < direct_end
        if physical or not (in_hhdm or self.entry_of is not None or addr >= PHYS_LIMIT):
            if not 0 <= addr < PHYS_LIMIT:
                raise ArgumentError("addr", addr, "a physical address below 2**52")
            self.phys = addr
            self.virt = hhdm + addr
        else:
            if addr >= _ADDRESS_END:
                raise ArgumentError("addr", hex(addr), "an address of 64 bits")
            self.virt = addr
            if in_hhdm:
                self.phys = addr - hhdm
        space = manager.space
        if space is None:
            return
        self.mapping = space.query(self.virt)
        if self.mapping is not None and self.phys is None:
            self.phys = self.mapping[0]
        elif self.mapping is not None:
            self.compare("mapped to", phys_text(self.mapping[0]), phys_text(self.phys))

    def _place(self, pfn):
        """Determine what the frame is."""
        manager = self._manager
        self.pfn = pfn
        self.zone = Zone.NAMES[zone_of(pfn)]
        for region in manager.regions:
            if region.start <= pfn < region.end:
                self.region = region
        in_region = self.region is not None and self.region.present
        self.present = manager.present(pfn)
        self.compare("RAM", self.present, in_region)
        if not self.present:
            return
        entry = self._entry(pfn)
        self.flags = entry.flags
        self.kind = entry.state >> STATE_KIND_SHIFT
        self.compare("reserved", self.kind == RESERVED, not self.region.usable)
        self.head = pfn
        if self.kind == TAIL:
            self.head = buddy.head_of(manager.array.address, pfn)
            if not self.head:
                self.head = None
                self.differences.append("in no block")
                return
        elif self.kind == COMPOUND_TAIL:
            self.head = entry.next
            if not manager.present(self.head):
                self.differences.append("head {} has no RAM".format(self.head))
                return
        self._block(self._entry(self.head))

    def _block(self, head):
        """Read the head of the frame's block."""
        self.kind = head.state >> STATE_KIND_SHIFT
        self.order = head.state & ORDER_MASK
        self.first = self.head
        self.frames = 1 << self.order
        if self.kind == PART:
            self.first = head.prev
            if not self._manager.present(self.first):
                self.differences.append("run at {} has no RAM".format(self.first))
                return
            head = self._entry(self.first)
        if head.state >> STATE_KIND_SHIFT == USED:
            self.frames = head.next or 1 << (head.state & ORDER_MASK)
            self.rc = head.rc
            self.tag = head.tag
        if not self.first <= self.pfn < self.first + self.frames:
            self.differences.append("outside of the block at {}".format(self.first))

    def _entry(self, pfn):
        return PageFrame.at(self._manager.array.base + (pfn << ENTRY_SHIFT))

    def lines(self):
        """Yield the lines of the printed report."""
        yield "address  {}  {}".format(
            phys_text(self.phys) if self.phys is not None else "(no physical)",
            virt_text(self.virt),
        )
        if self.entry_of is not None:
            yield "holds    entry of frame {}".format(self.entry_of)
        yield "mapping  " + self._mapping_text()
        if self.pfn is not None:
            yield "frame    {}, {}".format(self.pfn, "RAM" if self.present else "no RAM")
            yield "zone     {}".format(self.zone)
            yield "region   " + self._region_text()
        if self.present:
            yield "flags    {}".format(decode_flags(self.flags))
            yield "block    " + self._block_text()
        yield "entries  {}".format(self.verdict())

    def _mapping_text(self):
        if self._manager.space is None:
            return "(no page tables)"
        if self.mapping is None:
            return "none"
        phys, size, flags = self.mapping
        return "to {}, {}, page of {}".format(phys_text(phys), _rights(flags), human_size(size))

    def _region_text(self):
        if self.region is None:
            return "none"
        return "{} to {}, {}".format(
            phys_text(self.region.start << PAGE_SHIFT),
            phys_text(self.region.end << PAGE_SHIFT),
            type_name(self.region.type),
        )

    def _block_text(self):
        if self.order is None:
            return "none"
        text = "{}, frames {}..{}, order {}".format(
            KIND_NAMES[self.kind], self.head, self.head + (1 << self.order) - 1, self.order
        )
        if self.frames != 1 << self.order:
            text += ", of the run {}..{}".format(self.first, self.first + self.frames - 1)
        if self.rc is not None:
            text += ", {} reference{}, tag {}".format(
                self.rc, "" if self.rc == 1 else "s", tag_text(self.tag)
            )
        return text
