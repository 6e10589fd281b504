# SPDX-License-Identifier: MIT OR Apache-2.0
"""Moves the loader's responses that the kernel still needs out of the loader's memory.

Source: Limine boot protocol, "Memory Layout at Entry": responses and everything that they
point to are in bootloader-reclaimable memory.
"""

import limine
import owners
import uctypes
from micropython import const

from pfm.address import PAGE_SIZE
from pfm.memmap import protocol

# Responses without pointers into the loader's memory, and their sizes in bytes.
_PLAIN = {
    "firmware_type": 16,
    "hhdm": 16,
    "executable_address": 24,
    "stack_size": 8,
    "rsdp": 16,
    "date_at_boot": 16,
}

# Responses that are a revision followed by strings, and the numbers of strings.
_STRINGS = {"bootloader_info": 2, "executable_cmdline": 1}

_WORD = const(8)
_FILE_SIZE = const(112)
# Up to where response revision 1 begins: that has the modes of each framebuffer.
_FRAMEBUFFER_SIZE = const(64)
_FRAMEBUFFERS_MAX = const(4)
_EDID_MAX = const(512)
_ENTRY_SIZE = const(24)
_ALIGN = const(8)

# Space besides the memory map, for a dozen small structs and strings, and framebuffers.
_SMALL_SIZE = const(5 * 4096)


class _Copies:
    """Memory for copies, laid out one after the other."""

    def __init__(self, virt):
        self._next = virt

    def bytes(self, virt, size):
        """Copy `size` bytes from `virt` and return the copy's address."""
        copy = self._next
        uctypes.bytearray_at(copy, size)[:] = uctypes.bytearray_at(virt, size)
        self._next += (size + _ALIGN - 1) & -_ALIGN
        return copy

    def string(self, virt):
        """Copy a NUL-terminated string; a null pointer stays null."""
        return self.bytes(virt, len(protocol.string_at(virt)) + 1) if virt else 0


def _word(virt):
    return uctypes.struct(virt, {"value": 0 | uctypes.UINT64})


def _copy_strings(copies, virt, count):
    copy = copies.bytes(virt, (1 + count) * _WORD)
    for i in range(count):
        pointer = _word(copy + (1 + i) * _WORD)
        pointer.value = copies.string(pointer.value)
    return copy


def _copy_file(copies, virt):
    """Copy a file structure; the file itself stays, in memory that is never reclaimed."""
    copy = copies.bytes(virt, _FILE_SIZE)
    file = uctypes.struct(copy, protocol.FILE)
    file.path = copies.string(file.path)
    file.string = copies.string(file.string)
    return copy


def _copy_executable(copies, virt):
    copy = uctypes.struct(copies.bytes(virt, 2 * _WORD), protocol.EXECUTABLE_FILE_RESPONSE)
    copy.file = _copy_file(copies, copy.file)
    return uctypes.addressof(copy)


def modules():
    """Return the addresses of the file structures of the modules that the loader loaded."""
    virt = limine.response("module")
    if virt is None:
        return []
    response = uctypes.struct(virt, protocol.MODULE_RESPONSE)
    return [_word(response.modules + i * _WORD).value for i in range(response.count)]


def _copy_modules(copies, virt):
    copy = uctypes.struct(copies.bytes(virt, 3 * _WORD), protocol.MODULE_RESPONSE)
    copy.modules = copies.bytes(copy.modules, copy.count * _WORD)
    for i in range(copy.count):
        pointer = _word(copy.modules + i * _WORD)
        pointer.value = _copy_file(copies, pointer.value)
    return uctypes.addressof(copy)


def _modules_size():
    """Return how much room `_copy_modules` needs for what the response points to."""
    size = 0
    for virt in modules():
        file = uctypes.struct(virt, protocol.FILE)
        for text in (file.path, file.string):
            size += len(protocol.string_at(text)) + 1 + _ALIGN
        size += _FILE_SIZE + _WORD
    return size


def _copy_memmap(copies, virt):
    copy = uctypes.struct(copies.bytes(virt, 3 * _WORD), protocol.MEMMAP_RESPONSE)
    copy.entries = copies.bytes(copy.entries, copy.entry_count * _WORD)
    for i in range(copy.entry_count):
        pointer = _word(copy.entries + i * _WORD)
        pointer.value = copies.bytes(pointer.value, _ENTRY_SIZE)
    return uctypes.addressof(copy)


def _copy_framebuffers(copies, virt):
    copy = uctypes.struct(copies.bytes(virt, 3 * _WORD), protocol.FRAMEBUFFER_RESPONSE)
    copy.revision = 0
    copy.framebuffer_count = min(copy.framebuffer_count, _FRAMEBUFFERS_MAX)
    copy.framebuffers = copies.bytes(copy.framebuffers, copy.framebuffer_count * _WORD)
    for i in range(copy.framebuffer_count):
        pointer = _word(copy.framebuffers + i * _WORD)
        pointer.value = copies.bytes(pointer.value, _FRAMEBUFFER_SIZE)
        framebuffer = uctypes.struct(pointer.value, protocol.FRAMEBUFFER_STRUCT)
        framebuffer.edid_size = min(framebuffer.edid_size, _EDID_MAX)
        if framebuffer.edid_size:
            framebuffer.edid = copies.bytes(framebuffer.edid, framebuffer.edid_size)
    return uctypes.addressof(copy)


def move(manager):
    """Copy the responses to frames of `manager` and point `limine.response()` to the copies.

    Moves all of them or none; a second call does nothing.  Raises OutOfFramesError,
    MemoryError.
    """
    memmap = limine.response("memmap")
    if manager.identify(memmap).tag == owners.RESPONSES:
        return
    entries = uctypes.struct(memmap, protocol.MEMMAP_RESPONSE).entry_count
    size = entries * (_ENTRY_SIZE + _WORD) + _modules_size() + _SMALL_SIZE
    pfn = manager.alloc_contiguous((size + PAGE_SIZE - 1) // PAGE_SIZE, tag=owners.RESPONSES)
    try:
        copies = _copy_all(_Copies(manager.as_virt(pfn * PAGE_SIZE)))
    except BaseException as error:
        manager.free(pfn)
        raise error
    # Nothing allocates from here on.
    for name, virt in copies:
        limine.move_response(name, virt)


def _copy_all(copies):
    """Return (name, address of its copy) for each response that there is."""
    makers = {}
    for name, length in _PLAIN.items():
        makers[name] = lambda virt, length=length: copies.bytes(virt, length)
    for name, count in _STRINGS.items():
        makers[name] = lambda virt, count=count: _copy_strings(copies, virt, count)
    makers["executable_file"] = lambda virt: _copy_executable(copies, virt)
    makers["module"] = lambda virt: _copy_modules(copies, virt)
    makers["framebuffer"] = lambda virt: _copy_framebuffers(copies, virt)
    makers["memmap"] = lambda virt: _copy_memmap(copies, virt)
    moved = []
    for name, make in makers.items():
        virt = limine.response(name)
        if virt is not None:
            moved.append((name, make(virt)))
    return moved
