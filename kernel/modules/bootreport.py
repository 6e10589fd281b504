# SPDX-License-Identifier: MIT OR Apache-2.0
"""The report at power-on: loader, firmware, command line, memory map, and the frame manager."""

import os

import limine
import uctypes

from pfm.memmap import protocol, regions
from pfm.units import human_size


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
    """Print versions, firmware, the command line `options` and the loader's memory map."""
    print("MicroPython  {}".format(os.uname().version))
    print("Loader       {}, base revision {}".format(_loader(), limine.base_revision()))
    print("Firmware     {}".format(_firmware()))
    print("Command line {}".format(options.text or "(empty)"))
    for word in options.ignored:
        print("             '{}' ignored".format(word))
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


def print_frames(manager, heap, disk, options):
    """Print the state of the frame manager.

    `heap` is the size of the Python heap in bytes, `disk` the RAM disk or None, `options` the
    command line.
    """
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
    size = disk.size if disk else 0
    place = "{}, at /".format(human_size(size)) if disk else "none"
    print("RAM disk     {}{}".format(place, _asked(options.disk, size)))
    for report in (manager.meminfo(), manager.buddyinfo(), manager.chart()):
        print()
        print(report)
