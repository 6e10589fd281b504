"""Text for people: sizes in binary units, and addresses with a prefix that names their kind."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def human_size(size):
    """Return `size`, in bytes, in the largest binary unit that it reaches."""
    unit = 0
    scale = 1
    # 1023.5 and more would be printed as 1024.
    while size * 2 >= scale * 2047 and unit < len(_UNITS) - 1:
        scale *= 1024
        unit += 1
    digits = 0 if size % scale == 0 or size >= scale * 1000 else 1
    return "{:.{}f} {}".format(size / scale, digits, _UNITS[unit])


def phys_text(phys):
    """Return the physical address `phys` as `p0x…`, 44 bits wide: managed frames end there."""
    return "p0x{:011x}".format(phys)


def virt_text(virt):
    """Return the virtual address `virt` as `v0x…`, 64 bits wide."""
    return "v0x{:016x}".format(virt)
