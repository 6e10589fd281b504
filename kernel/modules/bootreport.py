# SPDX-License-Identifier: MIT OR Apache-2.0
"""The report at power on: a few lines, or with `verbose` on the command line all there is."""

import os

import cmdline
import kernel
import keymap
import limine
import machine
import uctypes
from micropython import const

import pfm
from pfm.address import PAGE_SIZE
from pfm.memmap import protocol, regions
from pfm.units import human_size

# The width of a terminal.
_COLUMNS = const(80)


def _loader():
    virt = limine.response("bootloader_info")
    if virt is None:
        return "unknown"
    info = uctypes.struct(virt, protocol.BOOTLOADER_INFO_RESPONSE)
    return "{} {}".format(protocol.string_at(info.name), protocol.string_at(info.version))


def _firmware():
    virt = limine.response("firmware_type")
    if virt is None:
        return "unknown"
    kind = uctypes.struct(virt, protocol.FIRMWARE_TYPE_RESPONSE).firmware_type
    if kind < len(protocol.FIRMWARE_NAMES):
        return protocol.FIRMWARE_NAMES[kind]
    return "unknown type {}".format(kind)


def print_loader(options):
    """Print versions, firmware, the command line `options` and the loader's memory map.

    With `verbose` among the options; else this prints nothing.
    """
    if options.report != cmdline.VERBOSE:
        return
    print("MicroPython  {}".format(os.uname().version))
    print("Loader       {}, base revision {}".format(_loader(), limine.base_revision()))
    print("Firmware     {}".format(_firmware()))
    print("Command line {}".format(options.text or "(empty)"))
    for word in options.ignored:
        print("             '{}' ignored".format(word))
    if options.keymap and keymap.defect(options.keymap):
        print("             " + keymap.defect(options.keymap))
    screen = kernel.screen()
    if screen:
        print("Screen       {} x {} characters, scale {}{}".format(*screen, _scale_note(options)))
    print("Memory map   {:>18} {:>18} {:>10}  type".format("base", "end", "size"))
    for base, length, kind in regions.read(limine.response("memmap")):
        print(
            "             p0x{:016x} p0x{:016x} {:>10}  {}".format(
                base, base + length, human_size(length), protocol.type_name(kind)
            )
        )


def _asked(size, found):
    """Return a note if the command line asked for more bytes than there are."""
    return " ({} asked for)".format(human_size(size)) if size and size > found else ""


def _scale_note(options):
    """Return a note if the command line asked for a scale that the screen cannot have."""
    screen = kernel.screen()
    wanted = options.scale
    return " ({} asked for)".format(wanted) if screen and wanted not in (0, screen[2]) else ""


def _print_frames(manager, heap, disk_size, options):
    array = manager.array
    zones = manager.count_free()
    print(
        "Frames       {} to {}: {} present, {} free".format(
            manager.min(), manager.max(), manager.count_present(), sum(zones)
        )
    )
    print(
        "Array        v0x{:016x}, p0x{:x} to p0x{:x}, {}".format(
            array.base,
            array.start_phys,
            array.end_phys,
            human_size(array.end_phys - array.start_phys),
        )
    )
    print("Init         {} us".format(manager.init_us))
    print("Python heap  {}{}".format(human_size(heap), _asked(options.heap, heap)))
    place = "{}, at /".format(human_size(disk_size)) if disk_size else "none"
    print("RAM disk     {}{}".format(place, _asked(options.disk, disk_size)))
    for report in (manager.meminfo(), manager.buddyinfo(), manager.chart()):
        print()
        print(report)


def _are_several(processors):
    """Return whether several processors run, or were asked for."""
    return machine.cpus() > 1 or processors.asked


def _print_processors(processors):
    if _are_several(processors):
        print("Processors   {} of {}".format(machine.cpus(), processors.total))
    for note in processors.notes:
        print("             " + note)


def _summary(manager, heap, disk_size, processors):
    """Yield the lines of the short report."""
    yield "pfm {} on MicroPython {}".format(pfm.__version__, os.uname().release)
    yield "Booted by {} under {}".format(_loader(), _firmware())
    yield "Memory: {}, of which {} Python heap, {} disk, {} free".format(
        human_size(manager.count_present() * PAGE_SIZE),
        human_size(heap),
        human_size(disk_size),
        human_size(sum(manager.count_free()) * PAGE_SIZE),
    )
    if _are_several(processors):
        yield "Processors: {} of {}, used by _thread".format(machine.cpus(), processors.total)
    yield "Try:    PFM.chart()  PFM.meminfo()  pfn = PFM.alloc()  help(PFM)  help()"
    yield "Leave:  import machine; machine.poweroff()"


def _warnings(heap, disk_size, processors, options):
    """Yield a line for each word of `options` that was not obeyed, and for what is left out."""
    for word in options.ignored:
        yield "Command line: '{}' ignored".format(word)
    for what, size, found in (("heap", options.heap, heap), ("disk", options.disk, disk_size)):
        note = _asked(size, found)
        if note:
            yield "Command line: {} of {}{}".format(what, human_size(found), note)
    if _scale_note(options):
        yield "Command line: scale of {}{}".format(kernel.screen()[2], _scale_note(options))
    if options.keymap and keymap.defect(options.keymap):
        yield "Command line: " + keymap.defect(options.keymap)
    for note in processors.notes:
        yield "Processors: " + note
    if not disk_size and options.disk is None and not options.root:
        yield "No memory is left for a disk: there are no files"


def print_machine(manager, heap, disk, processors, options):
    """Print what the machine has to offer, as far as the command line `options` asks for it.

    `heap` is the size of the Python heap in bytes, `disk` the RAM disk or None, `processors`
    the machine's `Processors`.
    """
    disk_size = disk.size if disk else 0
    if options.report == cmdline.VERBOSE:
        _print_processors(processors)
        _print_frames(manager, heap, disk_size, options)
        return
    if options.report != cmdline.QUIET:
        for line in _summary(manager, heap, disk_size, processors):
            print(line[:_COLUMNS])
    for line in _warnings(heap, disk_size, processors, options):
        print(line[:_COLUMNS])


def print_disk(lines, options):
    """Print the lines on the lasting disk, without those of no trouble if the report is quiet."""
    for line in lines:
        if options.report != cmdline.QUIET or not line.startswith("Disk:"):
            print(line[:_COLUMNS])
