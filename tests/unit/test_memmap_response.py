"""pfm/memmap/response.py: a response that is made reads as one that a loader left."""

from ktap import equal, raises
from maps import Q35_6G, THREE_ZONES

from pfm import NoMemoryMapError
from pfm.memmap import regions
from pfm.memmap.response import Response

ONE_PATH = "no manager is involved"


def test_made_is_what_is_read():
    for entries in (Q35_6G, THREE_ZONES):
        made = Response(entries)
        equal(list(regions.read(made.virt)), entries)


def test_no_entries():
    raises(NoMemoryMapError, regions.read, Response([]).virt)
