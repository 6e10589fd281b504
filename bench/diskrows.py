"""Rows of a virtio block device: through the block cache, and past it.

The machine has one such device, of _SIZE bytes or more, whose content is lost (bench/disks.py).
"""

import json
import random
import time

import blockcache
import virtioblk

from .measure import Figure

# Odd, so that the median is one of the runs.
RUNS = 5

_MIB = 1 << 20
_SIZE = 64 * _MIB
_CHUNK = 65536
_PAGE = 4096
_PAGES = 2000
_SECTOR_SHIFT = 9


def _walk(access, device, buf):
    """Access _SIZE bytes in sequence; have the device keep what was written."""
    for at in range(0, _SIZE >> _SECTOR_SHIFT, len(buf) >> _SECTOR_SHIFT):
        code = access(at, buf)
        if code:
            raise device.error(code)
    device.ioctl(3, 0)


def _jump(access, device, buf):
    """Access _PAGES pages at random, the same in each run."""
    random.seed(_PAGES)
    for _ in range(_PAGES):
        code = access(random.randrange(_SIZE // _PAGE) * (_PAGE >> _SECTOR_SHIFT), buf)
        if code:
            raise device.error(code)
    device.ioctl(3, 0)


def _elapsed(job, *arguments):
    start = time.ticks_us()
    job(*arguments)
    return time.ticks_diff(time.ticks_us(), start) * 1000


def disk_rows():
    """Yield the rows, in nanoseconds per MiB and per block of 4 KiB."""
    device = virtioblk.open()
    cache = blockcache.BlockCache(device)
    ways = (("pfm", cache), ("past the cache", device))
    for work, job, writes, size, unit, units in (
        ("write a disk in sequence", _walk, True, _CHUNK, "MiB", _SIZE // _MIB),
        ("read a disk in sequence", _walk, False, _CHUNK, "MiB", _SIZE // _MIB),
        ("write a disk at random", _jump, True, _PAGE, "4 KiB", _PAGES),
        ("read a disk at random", _jump, False, _PAGE, "4 KiB", _PAGES),
    ):
        buf = bytearray(size)
        samples = {who: [] for who, _ in ways}
        for _ in range(RUNS):
            for who, disk in ways:
                access = disk.writeblocks if writes else disk.readblocks
                samples[who].append(_elapsed(job, access, disk, buf) / units)
        for who, _ in ways:
            yield Figure(work, who, _SIZE, unit, samples[who])
    cache.close()


def run():
    """Print each row as `BENCH {…}`."""
    for row in disk_rows():
        print("BENCH", json.dumps(row.values()))
