"""Files that nobody closed, over whatever ends the program that had them open."""

import pytest
from prompt import at_prompt

CMDLINE = "heap=4M disk=8M"
COUNT = 30

# Files are left empty, shorter and longer than a block, flushed half way, in append mode, and named by nobody.
# A second disk, with littlefs, lies in frames that outlive a soft reset as those of the first do.
TOOLS = """
import gc, os, owners, ramdisk, vfs
from pfm import PFM
BLOCKS = 1024

def other(pfn):
    return ramdisk.RamDisk(PFM.as_virt(pfn << 12), BLOCKS)

def content(folder, number):
    return bytes((number * 7 + n * 3 + len(folder)) & 0xFF for n in range(251)) * (number * number // 4)

def leave(folder, count):
    os.mkdir(folder)
    files = []
    for number in range(count):
        file = open("{}/{}".format(folder, number), "ab" if number % 3 else "wb")
        data = content(folder, number)
        half = len(data) // 2
        file.write(data[:half])
        if number % 4 == 1:
            file.flush()
        file.write(data[half:])
        if number % 2:
            files.append(file)
    return files

def verify(folder, count):
    for number in range(count):
        with open("{}/{}".format(folder, number), "rb") as file:
            assert file.read() == content(folder, number), (folder, number)
        os.remove("{}/{}".format(folder, number))
    os.rmdir(folder)
"""

FORMAT = """
pfn = PFM.alloc_contiguous(BLOCKS, tag=owners.DISK)
vfs.VfsLfs2.mkfs(other(pfn))
vfs.mount(vfs.VfsLfs2(other(pfn)), "/other")
print(pfn)
"""

LEAVE = f"""
folders = "/one", "/two", "/other/three"
kept = [leave(folder, {COUNT}) for folder in folders]
"""

# Nothing of what the filesystems remember, only what is on the disks.
VERIFY = f"""
vfs.umount("/")
assert ramdisk.restore() is not None
vfs.mount(vfs.VfsLfs2(other(PFN)), "/other")
for folder in "/one", "/two", "/other/three":
    verify(folder, {COUNT})
vfs.umount("/other")
assert os.statvfs("/")[3] == FREE, (os.statvfs("/"), FREE)
PFM.check()
"""

FILL = """
def fill():
    pieces = []
    for size in 1 << 14, 1 << 10, 1 << 6:
        try:
            while True:
                pieces.append(bytearray(size))
        except MemoryError:
            pass
    while True:
        pieces = [pieces]
"""


INTERRUPTS = 20
SPIN_SIZE = 50000
SPIN = f"""
print("begun")
data = bytes({SPIN_SIZE})
while True:
    with open("/spin", "wb") as file:
        file.write(data)
"""


@pytest.fixture
def prompt(stand_in, micropython):
    with at_prompt(stand_in.with_cmdline(CMDLINE), micropython) as prompt:
        yield prompt


def _leave(prompt):
    """Leave files behind; what `_verify` is to be told."""
    free = prompt.value("__import__('os').statvfs('/')[3]")
    pfn = int(prompt.run(TOOLS + FORMAT))
    assert prompt.run(LEAVE) == ""
    return f"FREE, PFN = {free}, {pfn}\n"


def _verify(prompt, places):
    assert prompt.run(TOOLS + places + VERIFY) == ""


@pytest.mark.parametrize(
    "keys", [b"\x04", b"import machine; machine.soft_reset()\r"], ids=["ctrl-d", "soft_reset"]
)
def test_soft_reset(prompt, keys):
    for _ in range(2):
        places = _leave(prompt)
        prompt.soft_reset(keys)
        _verify(prompt, places)
    assert prompt.run("open('/u', 'w').write('hi'); import gc; gc.collect()") == ""
    assert prompt.run("print(open('/u').read())") == "hi\n"


def test_soft_reset_with_the_heap_locked(prompt):
    places = _leave(prompt)
    prompt.soft_reset(b"import micropython; micropython.heap_lock()\r\x04")
    _verify(prompt, places)


def test_soft_reset_with_the_heap_full(prompt):
    places = _leave(prompt)
    output, traceback = prompt.try_run(FILL + "\nfill()")
    assert output == "" and "MemoryError" in traceback
    prompt.soft_reset()
    _verify(prompt, places)


def test_full_heap_closes_dropped_files(prompt):
    places = _leave(prompt)
    output, traceback = prompt.try_run("kept = None\n" + FILL + "\nfill()")
    # No finaliser has failed either: that would be in the output.
    assert output == "" and "MemoryError" in traceback
    prompt.run("import vfs; vfs.umount('/other')")
    _verify(prompt, places)


def test_interrupted_writes_are_whole(prompt):
    places = _leave(prompt)
    for _ in range(INTERRUPTS):
        prompt.send(SPIN)
        prompt.machine.read_until(b"begun")
        prompt.machine.write(b"\x03")
        prompt.machine.read_until(b"KeyboardInterrupt")
        prompt.machine.read_until(b"\x04")
        assert prompt.value("__import__('os').stat('/spin')[6]") in (0, SPIN_SIZE)
    prompt.run("import os; os.remove('/spin')")
    prompt.soft_reset()
    _verify(prompt, places)
