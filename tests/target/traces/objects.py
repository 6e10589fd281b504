"""Operations on objects of `malloc` and of caches."""

import machine
from tests.target.traces.allocations import Object
from tests.target.traces.stamps import fill, filled

from pfm import PFM, Cache, CacheInUseError, CacheNameError, ForeignFreeError, OutOfFramesError
from pfm.lock import critical as section

# Objects of one processor, at most.
_OBJECTS_MAX = 80


class Objects:
    """The part of `Actor` that allocates and frees objects."""

    def _malloc(self):
        if len(self.objects) >= _OBJECTS_MAX or not (self._growing or self._chance(4)):
            return
        size = 1 + (self._random(1 << 16) >> self._random(14))
        cache = self.traces.cache if self._chance(4) else None
        with section():
            try:
                virt = cache.alloc() if cache else PFM.malloc(size)
            except OutOfFramesError:
                self.refused += 1
                return
            item = Object(virt, cache.size if cache else size, cache)
            item.stamp = self._stamp()
            fill(virt, item.size >> 2, item.stamp)
            self.objects.append(item)

    def look_at_object(self, item):
        """Compare the memory of an object with its stamp."""
        if not filled(item.virt, item.size >> 2, item.stamp):
            self._fail(
                "object of {} bytes at {}: {}, not {}",
                item.size,
                hex(item.virt),
                hex(machine.mem32[item.virt]),
                hex(item.stamp),
            )

    def _mfree(self):
        if self.objects:
            with section():
                self.free_object(self._drop(self.objects))

    def free_object(self, item):
        """Look at an object once more, and free it."""
        self.look_at_object(item)
        # So that nobody who gets it next takes it for its own.
        fill(item.virt, item.size >> 2, 0x5A5A5A5A)
        if item.cache:
            item.cache.free(item.virt)
        else:
            PFM.mfree(item.virt)

    def _looks_free(self):
        """Free an object in which its owner has written what marks one as free."""
        with section():
            try:
                virt = PFM.malloc(48)
            except OutOfFramesError:
                self.refused += 1
                return
            machine.mem32[virt + 8] = virt & 0xFFFFFFFF ^ 0xFFFFFFFF
            PFM.mfree(virt)

    def _cache(self):
        """Open a cache, use it, and close it while nobody else knows it."""
        size = 16 + self._random(3000)
        name = "any" if self._chance(3) else "by {}".format(self.number)
        with section():
            try:
                cache = Cache(size, name)
            except CacheNameError:
                self.refused += 1
                if name != "any":
                    raise
                return
            objects = []
            try:
                for _ in range(self._random(20)):
                    objects.append(cache.alloc())
            except OutOfFramesError:
                self.refused += 1
            if objects:
                self._expect(CacheInUseError, cache.close)
                self._expect(ForeignFreeError, PFM.mfree, objects[0])
            for virt in objects:
                cache.free(virt)
            cache.close()
