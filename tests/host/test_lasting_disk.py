"""The lasting disk: files over power off, power cuts, bad sectors, a removed device; DISK of `make run`."""

import os
import random
import subprocess
import sys
from dataclasses import replace

import disk
import pytest
import qemu
import qmp
from prompt import at_prompt

RUN = str(qemu.ROOT / "boot" / "run.py")
TIMEOUT = 120
MIB = 1 << 20

# Power cuts, and the seed of when they come: `make soak` makes a hundred.
CUTS = int(os.environ.get("PFM_POWER_CUTS", "4"))
SEED = int(os.environ.get("PFM_POWER_CUT_SEED", "1207"))

POWER_OFF = "import machine; machine.poweroff()"


@pytest.fixture
def boot(stand_in, tmp_path):
    """Boots the machine with the image `tmp_path/d, i.img`, made anew by the first boot."""
    path = tmp_path / "d, i.img"

    def boot(cmdline="", size=16 * MIB, **more):
        found = disk.prepare(path, size)
        return replace(stand_in.with_cmdline(f"disk=1M {cmdline}".strip()), disk=found, **more)

    boot.path = path
    return boot


def _off(prompt):
    """Power off, and expect that the machine says so."""
    prompt.send(POWER_OFF)
    assert prompt.machine.wait(TIMEOUT) == qemu.Ending.OK


# Of each way to write a file and to leave it: closed, and dropped.
WRITE = """
import os
os.mkdir(D + "/folder")
for number in range(40):
    with open(D + "/folder/{}".format(number), "wb") as file:
        file.write(bytes([number]) * (number * 997))
open(D + "/dropped", "w").write("dropped")
os.sync()
"""
READ = """
for number in range(40):
    with open(D + "/folder/{}".format(number), "rb") as file:
        assert file.read() == bytes([number]) * (number * 997), number
PFM.check()
"""

READ_DROPPED = """
with open(D + "/dropped") as file:
    assert file.read() == "dropped"
"""


@pytest.mark.parametrize(
    ("kind", "cmdline", "folder"),
    [("FAT", "", "/disk"), ("littlefs", "format=littlefs", "/disk"), ("FAT", "root=disk", "/")],
    ids=("fat", "littlefs", "root"),
)
def test_files_last(boot, micropython, kind, cmdline, folder):
    line = f"Disk:   16 MiB, {kind}, at {folder}\r\n"
    names = f"D = {'' if folder == '/' else folder!r}\n"
    with at_prompt(boot(cmdline), micropython) as prompt:
        assert line in prompt.report
        prompt.run(names + WRITE)
        # Frames of the cache before a soft reset do not stay taken.
        free = prompt.value("sum(PFM.count_free())")
        for _ in range(2):
            prompt.soft_reset()
            prompt.run(names + READ + READ_DROPPED)
            assert abs(prompt.value("sum(PFM.count_free())") - free) < 64
        _off(prompt)
    with at_prompt(boot(cmdline), micropython) as prompt:
        assert line in prompt.report
        prompt.run(names + READ + READ_DROPPED)


def test_what_was_closed_outlives_a_killed_machine(boot, micropython):
    with at_prompt(boot(), micropython) as prompt:
        prompt.run("D = '/disk'" + WRITE)
        prompt.machine.popen.kill()
        prompt.machine.popen.wait()
    with at_prompt(boot(), micropython) as prompt:
        prompt.run("D = '/disk'" + READ)


@pytest.mark.parametrize(
    "end", ["import kernel; kernel.exit(0)", POWER_OFF, "import machine; machine.reset()"]
)
def test_files_that_nobody_closed(boot, micropython, end):
    with at_prompt(boot("format=littlefs"), micropython) as prompt:
        prompt.run("def leave():\n open('/disk/a', 'w').write('dropped')\nleave()")
        prompt.send(end)
        assert prompt.machine.wait(TIMEOUT) in (qemu.Ending.OK, qemu.Ending.RESET)
    with at_prompt(boot(), micropython) as prompt:
        assert prompt.run("print(open('/disk/a').read())") == "dropped\n"


SPIN = """
print("begun")
data = bytes(50000)
while True:
    with open("/disk/spin", "wb") as file:
        file.write(data)
"""


def test_interrupts_and_a_heap_that_is_locked(boot, micropython):
    with at_prompt(boot(), micropython) as prompt:
        for _ in range(6):
            prompt.send(SPIN)
            prompt.machine.read_until(b"begun")
            prompt.machine.write(b"\x03")
            prompt.machine.read_until(b"KeyboardInterrupt")
            prompt.machine.read_until(b"\x04")
            assert prompt.value("__import__('os').stat('/disk/spin')[6]") in (0, 50000)
        # The collector closes them.
        prompt.run("files = [open('/disk/{}'.format(n), 'w') for n in range(9)]")
        prompt.run("for file in files: file.write('x' * 5000)")
        prompt.soft_reset(b"import micropython; micropython.heap_lock()\r\x04")
        sizes = "[__import__('os').stat('/disk/{}'.format(n))[6] for n in range(9)]"
        assert prompt.value(sizes) == [5000] * 9
        prompt.run("PFM.check()")


# Writes files, says when one is committed, and replaces old ones.
CUT = """
import os
number = START
while True:
    name = "/disk/{}".format(number % 8)
    with open(name, "wb") as file:
        file.write(bytes([number & 0xFF, number >> 8]) * (1 + number * 37 % 3000))
    print("committed", number)
    number += 1
"""
# One line of every file, by which version it has.
FOUND = """
import os
for name in os.listdir("/disk"):
    with open("/disk/" + name, "rb") as file:
        data = file.read()
    number = data[0] | data[1] << 8
    assert data == bytes([number & 0xFF, number >> 8]) * (1 + number * 37 % 3000), name
    print(name, number)
PFM.check()
"""


def test_power_cuts(boot, micropython):
    draw = random.Random(SEED)
    committed = 0
    start = 1
    for cut in range(CUTS):
        with at_prompt(boot("format=littlefs"), micropython) as prompt:
            found = dict(line.split() for line in prompt.run(FOUND).splitlines())
            for number in range(max(1, committed - 6), committed + 1):
                # The file of this name has that version or, if the cut came after its commit, the next.
                assert int(found[str(number % 8)]) >= number, (SEED, cut, number, found)
            # A name that was just being written has the version before, or this one.
            start = max([committed, *map(int, found.values())]) + 1
            prompt.send(f"START = {start}\n" + CUT)
            for _ in range(draw.randrange(1, 60)):
                line = prompt.machine.read_until(b"\n")
            # Some part of a file later.
            for _ in range(draw.randrange(20000)):
                pass
            prompt.machine.popen.kill()
            said = bytes(prompt.machine.transcript)
            committed = int(said[: said.rindex(b"\r\n")].rsplit(b" ", 1)[1])
            assert line
    with at_prompt(boot(), micropython) as prompt:
        found = dict(line.split() for line in prompt.run(FOUND).splitlines())
        assert int(found[str(committed % 8)]) >= committed, (SEED, found, committed)


UNREADABLE = """
[inject-error]
event = "read_aio"
errno = "5"
sector = "3"
"""


def test_bad_sector_keeps_a_disk_from_being_mounted(stand_in, micropython, tmp_path):
    path = tmp_path / "bad.img"
    disk.prepare(path, MIB)
    flags = _blkdebug(path, UNREADABLE, tmp_path)
    with at_prompt(replace(stand_in.with_cmdline(""), qemuflags=flags), micropython) as prompt:
        why = "00:09.0: sector 3 cannot be read (an error of the device)"
        assert f"/disk: not mounted: {why}\r\n" in prompt.report
        assert "Traceback" not in prompt.report


def _blkdebug(path, rules, tmp_path):
    """Options for a machine whose disk at this path fails by rules."""
    config = tmp_path / "blkdebug.conf"
    config.write_text(rules)
    name = str(path).replace(",", ",,")
    return (
        f"-drive 'if=none,id=bad,format=raw,file.driver=blkdebug,file.config={config},"
        f"file.image.driver=file,file.image.filename={name}'"
        " -device virtio-blk-pci,drive=bad,disable-legacy=on,addr=9"
    )


RULES = """
[inject-error]
event = "read_aio"
errno = "5"
sector = "20003"
[inject-error]
event = "write_aio"
errno = "5"
sector = "30005"
"""

BAD = """
import errno, virtioblk, blockcache
disk = virtioblk.open()
block = bytearray(512)
assert disk.readblocks(20002, block) == 0
assert disk.readblocks(20000, bytearray(8 * 512)) == -errno.EIO
assert disk.failed == 20003, disk.failed
assert str(disk.error(-errno.EIO)).count("sector 20003 cannot be read"), disk.error(-errno.EIO)
assert disk.writeblocks(29984, b"y" * 512 * 64) == -errno.EIO
assert disk.failed == 30005, disk.failed
assert disk.readblocks(disk.sectors, block) == -errno.EIO
assert disk.readblocks(0, bytearray(511)) == -errno.EINVAL
cache = blockcache.BlockCache(disk, 64)
assert cache.readblocks(20000, block) == -errno.EIO
for page in range(2490, 2510):
    assert cache.readblocks(8 * page, block) == (-errno.EIO if page == 2500 else 0), page
for page in range(3700, 3800):
    assert cache.writeblocks(8 * page, bytes([page & 0xFF]) * 4096) == 0
try:
    cache.sync()
    assert False
except OSError as error:
    assert error.errno == errno.EIO and "sector 30005" in str(error), error
assert cache.dirty == 1
for page in range(3700, 3800):
    assert page == 3750 or disk.readblocks(8 * page, block) == 0 and block[0] == page & 0xFF, page
cache.close(discard=True)
cache.close()
PFM.check()
"""


def test_bad_sectors(stand_in, micropython, tmp_path):
    path = tmp_path / "a,b.img"
    disk.prepare(path, 32 * MIB)
    flags = _blkdebug(path, RULES, tmp_path)
    with at_prompt(replace(stand_in.with_cmdline(""), qemuflags=flags), micropython) as prompt:
        line = "/disk: not mounted: blank; the word format=fat or format=littlefs formats it\r\n"
        assert line in prompt.report
        output = prompt.run(BAD)
        assert "disk: sector 20003 cannot be read (an error of the device)\n" in output
        assert "disk: sector 30005 cannot be written" in output


# QEMU's docs/specs/acpi_pci_hotplug.rst: ejects a slot of the bus that is selected.
GONE = """
import cpu, errno, lastingdisk, os
cache = lastingdisk.cache
with open("/disk/file", "w") as file:
    file.write("x" * 100000)
cpu.outl(0xAE10, 0)
cpu.outl(0xAE08, 1 << cache.device.function.device)
block = bytearray(512)
for use in (
    lambda: open("/disk/more", "w").write("x" * 5000),
    lambda: cache.device.readblocks(0, block) or cache.sync(),
    lambda: os.sync(),
):
    try:
        use()
    except OSError as error:
        print("error", error.errno in (errno.EIO, errno.ENODEV))
assert cache.device.removed and cache.device.readblocks(0, block) == -errno.ENODEV
"""


def test_device_removed(boot, micropython):
    with at_prompt(boot(qemuflags="-machine pc"), micropython) as prompt:
        output = prompt.run(GONE)
        assert "error True" in output and "(the device is gone)" in output
        prompt.run("cache.close(discard=True); PFM.check()")
        prompt.soft_reset()
        assert prompt.value("1 + 1") == 2


def test_no_answer(boot, micropython, tmp_path):
    path = tmp_path / "monitor"
    with at_prompt(boot(), micropython, extra=qmp.listen(path)) as prompt:
        with qmp.Monitor(path) as monitor:
            monitor.command(
                "block_set_io_throttle",
                **dict.fromkeys(("bps", "bps_rd", "bps_wr", "iops_rd", "iops_wr"), 0),
                device="disk",
                iops=1,
            )
            prompt.run("import errno, lastingdisk; disk = lastingdisk.cache.device")
            prompt.run("disk.timeout_ms = 100; block = bytearray(512)")
            # The second one has to wait.
            prompt.run("codes = [disk.readblocks(20000 + n, block) for n in range(4)]")
            assert prompt.value("codes") == [0, -110, -19, -19]
            assert "(no answer)" in prompt.machine.transcript.decode()
            assert prompt.value("disk.removed")
            output, traceback = prompt.try_run("open('/disk/a', 'w').close()")
            assert "OSError" in traceback
            prompt.run("lastingdisk.cache.close(discard=True); PFM.check()")


def test_full(boot, micropython):
    with at_prompt(boot(size=MIB), micropython) as prompt:
        output, traceback = prompt.try_run(
            "with open('/disk/a', 'wb') as file: file.write(bytes(2000000))"
        )
        assert "OSError: 28" in traceback, traceback
        prompt.run(
            "import os; os.remove('/disk/a'); open('/disk/b', 'w').write('fits'); os.sync()"
        )


def test_read_only(boot, micropython):
    with at_prompt(boot(), micropython) as prompt:
        prompt.run("D = '/disk'" + WRITE)
        _off(prompt)
    os.chmod(boot.path, 0o444)
    with at_prompt(boot(), micropython) as prompt:
        assert "16 MiB, FAT, at /disk, read-only\r\n" in prompt.report
        prompt.run("D = '/disk'" + READ)
        output, traceback = prompt.try_run("import virtioblk; virtioblk.open()")
        assert "OSError: (16, 'virtio block device 00:02.0: in use')" in traceback
        output, traceback = prompt.try_run("open('/disk/new', 'w')")
        assert "OSError: 30" in traceback, traceback
        assert (
            prompt.value(
                "lastingdisk.cache.writeblocks(0, b'')",
            )
            if False
            else True
        )


def test_no_filesystem_is_left_as_it_is(boot, micropython):
    content = b"precious" * (2 * MIB // 8)
    boot.path.write_bytes(content)
    with at_prompt(boot("format=fat"), micropython) as prompt:
        lines = [line for line in prompt.report.split("\r\n") if "/disk" in line]
        assert lines == ["/disk: not mounted: neither blank nor of FAT or littlefs; left as it is"]
        assert "Traceback" not in prompt.report
        _off(prompt)
    assert boot.path.read_bytes() == content


def test_second_disk_is_left_alone(boot, micropython, tmp_path):
    other = tmp_path / "other.img"
    disk.prepare(other, MIB)
    flags = f"-drive if=none,id=b,format=raw,file={other} -device virtio-blk-pci,drive=b,addr=0x10"
    with at_prompt(boot(qemuflags=flags), micropython) as prompt:
        assert "Disk:   a further one, 00:10.0, is left alone\r\n" in prompt.report
        # It has the interface before 1.0 too.
        assert prompt.value("__import__('virtioblk').open(1).sectors") == 2048


@pytest.fixture
def run(stand_in, micropython):
    """Runs boot/run.py on the stand-in loader, as `make run` does."""

    def run(text="", **environment):
        plain = dict.fromkeys(
            ("APP", "SCRIPT", "SCREENSHOT", "CMDLINE", "SERIAL", "QEMUFLAGS", "DISK_SIZE"), ""
        )
        return subprocess.run(
            [sys.executable, RUN, "--loader=direct", f"--micropython={micropython}"],
            input=text,
            env={**os.environ, **plain, "TIMEOUT": str(TIMEOUT), **environment},
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT,
        )

    return run


def test_make_run(run, tmp_path):
    image = tmp_path / "new.img"
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text("with open('/disk/a', 'a') as f:\n    f.write('x')\n")
    first = run("print(open('/disk/a').read())", DISK=str(image), APP=str(app))
    assert (first.returncode, first.stderr) == (0, f"DISK={image}: made, 64 MiB\n")
    assert image.stat().st_size == 64 * MIB
    # Sparse, as it was made.
    assert image.stat().st_blocks * 512 < 4 * MIB
    second = run("print(open('/disk/a').read())", DISK=str(image), APP=str(app))
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.endswith(">>> \nxx\n")


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("odd.img", "", "its 1000 bytes are no sectors of 512 bytes"),
        ("empty.img", "", "its 0 bytes are no sectors of 512 bytes"),
        ("folder", "", "is a folder; the disk is a file"),
        ("none/new.img", "", "there is no folder"),
        ("new.img", "many", "DISK_SIZE: must be a size such as 64M"),
        ("new.img", "4K", "DISK_SIZE: must be a size such as 64M"),
        ("folder/../fifo", "", "is no file"),
    ],
)
def test_images_that_are_none(run, tmp_path, name, size, said):
    (tmp_path / "odd.img").write_bytes(bytes(1000))
    (tmp_path / "empty.img").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    result = run(DISK=str(tmp_path / name), DISK_SIZE=size)
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (tmp_path / "new.img").exists()
