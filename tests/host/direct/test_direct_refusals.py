"""What the stand-in loader refuses to boot, each with its line and exit code."""

import re

import probe_kernel
import pytest
from probe_kernel import BASE_VIRT, KIB, MIB, PAGE, refused
from qemu import Boot, Ending, Process, command


@pytest.mark.parametrize(
    "option, line",
    [
        ("spam", "unknown option 'spam'"),
        ("=1", "unknown option ''"),
        ("memmap", "option 'memmap' needs a value"),
        ("memmap=4K", "memmap: '4K' is not base+length:type"),
        ("memmap=0+1:spam", "memmap: '0+1:spam' is not base+length:type"),
        (
            "memmap=0+0x10000000000000000:1",
            "memmap: '0+0x10000000000000000:1' is not base+length:type",
        ),
        ("add=-1+1:0", "add: '-1+1:0' is not base+length:type"),
        ("mark=0xfffffffffffff000+4097:1", "mark: 0xfffffffffffff000+0x1001 runs past 64 bits"),
        ("omit=spam", "omit=spam: no such response"),
        ("revision=0", "revision=0: not one of 1 to 6"),
        ("revision=7", "revision=7: not one of 1 to 6"),
        ("revision=new", "revision=new: not a number"),
        ("junk=256", "junk=256: not a byte"),
        ("shuffle=x", "shuffle=x: not a number"),
        ("framebuffer=640x480", "framebuffer=640x480: not WIDTHxHEIGHTxBITS"),
        ("framebuffer=640x480x15", "framebuffer=640x480x15: not WIDTHxHEIGHTxBITS"),
        ("framebuffer=0x480x16", "framebuffer=0x480x16: not WIDTHxHEIGHTxBITS"),
        ("framebuffer=4000x3000x32", "framebuffer: no mode of 4000x3000x32 in 16384 KiB"),
        ("garble=spam:1", "garble: no field 'spam'"),
        ("garble=pitch", "garble=: not a number"),
        ("kernel=0x200001", "kernel=0x200001: not page aligned"),
        ("state=1M", "state=0x100000: the 1024 KiB there are not usable memory below 4 GiB"),
        ("state=4G", "state=0x100000000: the 1024 KiB there are not usable memory below 4 GiB"),
    ],
)
def test_bad_options(newest, option, line):
    refused(newest, line, option)


def test_kernel_onto_the_loader(newest, plain):
    size = (plain.number("image") + PAGE - 1) // PAGE * PAGE // KIB
    refused(newest, f"kernel=0x100000: the {size} KiB there are not usable memory", "kernel=1M")


def test_no_kernel(newest):
    argv = command(Boot(kernel=newest), "stdio,signal=off")
    at = argv.index("-initrd")
    del argv[at : at + 2]
    with Process(argv, timeout=probe_kernel.WATCHDOG, stdin=-3, stdout=-1) as running:
        assert running.popen.stdout.read() == b"direct: no kernel: QEMU's -initrd names it\r\n"
        assert running.wait() == Ending.LOADER


def test_no_long_mode(newest):
    refused(newest, "this processor has no long mode", qemuflags="-cpu qemu32")


def test_no_room(probe):
    kernel = probe("REVISION=6", f"BSS_BYTES={64 * MIB}")
    facts = probe_kernel.boot(kernel, memory="32M")
    assert re.fullmatch(r"direct: no room for the kernel, 65\d\d\d KiB\n", facts.text)
    kernel = probe("REVISION=6", "STACK_SIZE=0xffffffffffffffff")
    facts = probe_kernel.boot(kernel)
    pattern = (
        r"direct: no room for the loader's state: 18014398509481983 KiB wanted, \d+ KiB left\n"
    )
    assert re.fullmatch(pattern, facts.text)


@pytest.mark.parametrize(
    "macros, line",
    [
        ((), "the kernel has no base revision tag, and revision 0 is not supported"),
        (("REVISION=0",), "the kernel asks for base revision 0, and the oldest supported is 1"),
        (
            ("REVISION=6", "MIN_PAGING_MODE=1"),
            "the kernel asks for paging mode 1 at least, and only 4 levels are supported",
        ),
    ],
)
def test_kernels_that_ask_too_much(probe, macros, line):
    refused(probe(*macros), line)


def test_duplicate_request(probe):
    facts = probe_kernel.boot(probe("REVISION=6", "DUPLICATE"))
    assert re.fullmatch(
        r"direct: request 0x67cf3d9d378a806f 0xe304acdfc50c3c62 occurs twice,"
        r" at 0xffffffff8000\w{4} and 0xffffffff8000\w{4}\n",
        facts.text,
    )
    assert facts.ending == Ending.LOADER


def test_markers_in_the_wrong_order(probe):
    facts = probe_kernel.boot(probe("REVISION=6", "SWAPPED_MARKERS"))
    assert re.fullmatch(
        r"direct: the end marker at 0xffffffff8000\w{4} lies before"
        r" the start marker at 0xffffffff8000\w{4}\n",
        facts.text,
    )
    assert facts.ending == Ending.LOADER


@pytest.mark.parametrize(
    "field, value, segment, line",
    [
        (
            probe_kernel.ELF_CLASS,
            1,
            None,
            "the kernel is not an ELF64 file for x86-64 (class 1, machine 62)",
        ),
        (
            probe_kernel.ELF_MACHINE,
            183,
            None,
            "the kernel is not an ELF64 file for x86-64 (class 2, machine 183)",
        ),
        (
            probe_kernel.ELF_TYPE,
            3,
            None,
            "the kernel is of ELF type 3, not an executable linked at a fixed address",
        ),
        (
            probe_kernel.ELF_PHOFF,
            1 << 63,
            None,
            "the kernel's program headers lie outside its file",
        ),
        (
            probe_kernel.ELF_PHNUM,
            0xFFFF,
            None,
            "the kernel's program headers lie outside its file",
        ),
        (probe_kernel.ELF_PHNUM, 0, None, "the kernel has no segment to load"),
        (
            probe_kernel.ELF_ENTRY,
            MIB,
            None,
            "the entry point 0x100000 lies outside the kernel's image",
        ),
        (probe_kernel.PH_OFFSET, 1 << 40, 1, "segment 1 lies outside the kernel's file"),
        (probe_kernel.PH_FILE_SIZE, 1 << 63, 0, "segment 0 lies outside the kernel's file"),
        (
            probe_kernel.PH_VIRT,
            MIB,
            0,
            "segment 0 at 0x100000 lies outside the kernel's range from 0xffffffff80000000",
        ),
        (
            probe_kernel.PH_MEMORY_SIZE,
            1 << 62,
            2,
            "segment 2 at 0xffffffff80003000 lies outside the kernel's range"
            " from 0xffffffff80000000",
        ),
        (probe_kernel.PH_VIRT, BASE_VIRT + 0x800, 1, "segments 0 and 1 share a page"),
    ],
)
def test_bad_kernels(newest, tmp_path, field, value, segment, line):
    refused(probe_kernel.patch(newest, tmp_path / "bad.elf", field, value, segment), line)


def test_not_an_elf_file(tmp_path):
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    refused(text, "the kernel is not an ELF file")
