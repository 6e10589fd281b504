"""Every public call of the manager, as the tests need them that try all: on both ports, under any disturbance."""

from array import array

from pfm import PFN, Cache, CacheNameError, PageFlags, Phys, Zone, processor

# The calls that have a fast path (pfm/fastpath/).
FAST = (
    "set_flags",
    "clear_flags",
    "check_flags",
    "get",
    "alloc",
    "free",
    "malloc",
    "mfree",
)

# The first of 200 free frames that nobody else asks for, to set flags of, to guard and to
# allocate; on a fake machine's map.  `mark` finds others where a machine is in use.
MARKED = 600

_SPACE = 1024


def mark(pfm):
    """Put MARKED into the middle of a large free block, which is the last to be split."""
    global MARKED
    pfn = pfm.alloc_contiguous(_SPACE)
    MARKED = pfn + _SPACE // 2
    pfm.free(pfn)


class Call:
    """One public call; `fast` says whether it has a fast path.

    `run(pfm, given)` makes it on what `given(pfm)` prepared.  `undo(pfm, result)` takes back
    what it did.  `put_back(pfm, given)` returns what was prepared, but where the call
    itself does so (`takes`).  A call that only `reads` writes nothing and takes no lock.
    """

    def __init__(self, name, run, given=None, undo=None, put_back=None, takes=False, reads=False):
        self.name = name
        self.fast = name.split("(")[0].split(",")[0] in FAST
        self.run = run
        self.given = given or _none
        self.undo = undo or _keep
        self.put_back = put_back or _keep
        self.takes = takes
        self.reads = reads

    def clean(self, pfm, given, done, result):
        """Take back what is left of the call, which was `done` or not."""
        if done:
            self.undo(pfm, result)
        if not (done and self.takes):
            self.put_back(pfm, given)


def _none(pfm):
    return None


def _keep(pfm, given):
    return None


def _free(pfm, pfn):
    pfm.free(pfn)


def _free_many(pfm, frames):
    pfm.free_many(frames)


def _release(pfm, guard):
    guard.release()


def _clear(pfm, given):
    pfm.clear_flags_range(MARKED, 200, 0xFFFF)


def _unref_and_free(pfm, pfn):
    if pfm.identify(PFN(pfn)).rc > 1:
        pfm.unref(pfn)
    pfm.free(pfn)


def _single(pfm):
    return pfm.alloc()


def _block(pfm):
    return pfm.alloc(4)


def _run(pfm):
    return pfm.alloc_contiguous(77)


def _compound(pfm):
    return pfm.alloc(3, compound=True)


def _many(pfm):
    return pfm.alloc_many(100)


def _guard(pfm):
    return pfm.get(MARKED)


def _object(pfm):
    return pfm.malloc(100)


def _large(pfm):
    return pfm.malloc(50000)


def _mfree(pfm, virt):
    pfm.mfree(virt)


def _cache(pfm):
    """Return the cache that an interrupted call left, or a new one."""
    try:
        return Cache.open("calls", None, pfm)
    except CacheNameError:
        return Cache(100, "calls", manager=pfm)


def _use_cache(pfm, given):
    cache = Cache.open("calls", None, pfm)
    cache.free(cache.alloc())


def _close(pfm, cache):
    cache.close()


def _array(pfm):
    return array("I", range(MARKED, MARKED + 99))


def _address(pfm):
    return pfm.as_virt(MARKED << 12)


def _write_under_a_guard(pfm, given):
    with pfm.get(MARKED) as entry:
        entry.size_class = 3
        entry.size_class = 0


def _leaks(pfm, given):
    with pfm.leaks() as leaks:
        pass
    str(leaks)


CALLS = (
    Call("alloc", lambda pfm, given: pfm.alloc(), undo=_free),
    Call("alloc(order)", lambda pfm, given: pfm.alloc(5), undo=_free),
    Call("alloc(all)", lambda pfm, given: pfm.alloc(2, Zone.DMA, True, 7, True), undo=_free),
    Call("alloc_contiguous", lambda pfm, given: pfm.alloc_contiguous(77, 16), undo=_free),
    Call("alloc_at", lambda pfm, given: pfm.alloc_at(MARKED, 33), undo=_free),
    Call("alloc_many", lambda pfm, given: pfm.alloc_many(100), undo=_free_many),
    Call("alloc_many(array)", lambda pfm, given: pfm.alloc_many(given), _array, _free_many),
    Call("free", lambda pfm, pfn: pfm.free(pfn), _single, None, _free, True),
    Call("free(block)", lambda pfm, pfn: pfm.free(pfn), _block, None, _free, True),
    Call("free(run)", lambda pfm, pfn: pfm.free(pfn), _run, None, _free, True),
    Call("free(compound)", lambda pfm, pfn: pfm.free(pfn), _compound, None, _free, True),
    Call("free_many", lambda pfm, frames: pfm.free_many(frames), _many, None, _free_many, True),
    Call("ref", lambda pfm, pfn: pfm.ref(pfn + 5), _compound, None, _unref_and_free),
    Call("unref", lambda pfm, pfn: pfm.unref(pfn + 1), _compound, None, _free, True),
    Call("malloc", lambda pfm, given: pfm.malloc(100), undo=_mfree),
    Call("malloc(tag)", lambda pfm, given: pfm.malloc(5000, 7), undo=_mfree),
    Call("malloc(large)", lambda pfm, given: pfm.malloc(50000), undo=_mfree),
    Call("mfree", lambda pfm, virt: pfm.mfree(virt), _object, None, _mfree, True),
    Call("mfree(large)", lambda pfm, virt: pfm.mfree(virt), _large, None, _mfree, True),
    Call("Cache", lambda pfm, given: Cache(100, "calls", manager=pfm), undo=_close),
    Call("Cache.open", lambda pfm, given: Cache.open("calls", None, pfm), _cache, None, _close),
    Call("Cache.alloc, Cache.free", _use_cache, _cache, None, _close),
    Call(
        "Cache.close",
        lambda pfm, given: Cache.open("calls", None, pfm).close(),
        _cache,
        None,
        _close,
        True,
    ),
    Call("drain", lambda pfm, given: pfm.drain()),
    Call("set_flags", lambda pfm, given: pfm.set_flags(MARKED, 2), undo=_clear),
    Call("clear_flags", lambda pfm, given: pfm.clear_flags(MARKED, 2)),
    Call("check_flags", lambda pfm, given: pfm.check_flags(MARKED, 2), reads=True),
    Call("set_flags_range", lambda pfm, given: pfm.set_flags_range(MARKED, 200, 2), undo=_clear),
    Call("clear_flags_range", lambda pfm, given: pfm.clear_flags_range(MARKED, 200, 2)),
    Call("set_flags_many", lambda pfm, frames: pfm.set_flags_many(frames, 2), _array, _clear),
    Call("clear_flags_many", lambda pfm, frames: pfm.clear_flags_many(frames, 2), _array),
    Call("count_flags", lambda pfm, given: pfm.count_flags(2), reads=True),
    Call("get", lambda pfm, given: pfm.get(MARKED), undo=_release),
    Call("get, with", _write_under_a_guard),
    Call("unlock", lambda pfm, guard: pfm.unlock(MARKED), _guard, None, _release, True),
    Call("min", lambda pfm, given: pfm.min(), reads=True),
    Call("max", lambda pfm, given: pfm.max(), reads=True),
    Call("present", lambda pfm, given: pfm.present(MARKED), reads=True),
    Call("as_virt", lambda pfm, given: pfm.as_virt(MARKED << 12), reads=True),
    Call("memory", lambda pfm, given: bytes(pfm.memory(MARKED)), reads=True),
    Call("count_refs", lambda pfm, given: pfm.count_refs(MARKED), reads=True),
    Call("as_phys", lambda pfm, virt: pfm.as_phys(virt), _address, reads=True),
    Call("count_free", lambda pfm, given: pfm.count_free(), reads=True),
    Call("count_present", lambda pfm, given: pfm.count_present(), reads=True),
    Call("describe", lambda pfm, given: pfm.describe(MARKED), reads=True),
    Call("check", lambda pfm, given: pfm.check(), reads=True),
    Call("meminfo", lambda pfm, given: str(pfm.meminfo()), reads=True),
    Call("buddyinfo", lambda pfm, given: str(pfm.buddyinfo()), reads=True),
    Call("memmap", lambda pfm, given: str(pfm.memmap()), reads=True),
    Call("page_types", lambda pfm, given: str(pfm.page_types()), reads=True),
    Call("slabinfo", lambda pfm, given: str(pfm.slabinfo()), reads=True),
    Call("runs", lambda pfm, given: list(pfm.flag_ranges(PageFlags.RESERVED)), reads=True),
    Call("identify", lambda pfm, given: str(pfm.identify(Phys(MARKED << 12))), reads=True),
    Call("chart", lambda pfm, given: str(pfm.chart()), reads=True),
    Call("alloc(tag)", lambda pfm, given: pfm.alloc(1, tag="disk"), undo=_free),
    Call("blocks", lambda pfm, given: str(pfm.blocks("used")), reads=True),
    Call("largest_free", lambda pfm, given: str(pfm.largest_free()), reads=True),
    Call("fragmentation", lambda pfm, given: str(pfm.fragmentation(9)), reads=True),
    Call("owners", lambda pfm, given: str(pfm.owners()), reads=True),
    Call("snapshot", lambda pfm, given: str(pfm.snapshot() - pfm.snapshot()), reads=True),
    Call("leaks", _leaks, reads=True),
    Call("record", lambda pfm, given: str(pfm.record(4)), reads=True),
)


def signature(pfm):
    """Return what a call that failed, or was undone, must not have changed; every invariant holds."""
    pfm.drain()
    return pfm.check(), pfm.count_free(), pfm.count_flags(2), processor.guards(pfm._cpu)
