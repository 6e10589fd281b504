# SPDX-License-Identifier: MIT OR Apache-2.0
"""The names of PCI classes.  Source: PCI Code and ID Assignment Specification."""

# By base class.
_BASE_CLASSES = {
    0x00: "unclassified",
    0x01: "mass storage",
    0x02: "network",
    0x03: "display",
    0x04: "multimedia",
    0x05: "memory",
    0x06: "bridge",
    0x07: "communication",
    0x08: "system peripheral",
    0x09: "input",
    0x0A: "docking station",
    0x0B: "processor",
    0x0C: "serial bus",
    0x0D: "wireless",
    0x0F: "satellite communication",
    0x10: "encryption",
    0x11: "signal processing",
    0x12: "accelerator",
    0xFF: "other device",
}
# By base class and sub-class.
_CLASSES = {
    0x0100: "SCSI controller",
    0x0101: "IDE controller",
    0x0106: "SATA controller",
    0x0107: "SAS controller",
    0x0108: "NVM controller",
    0x0200: "Ethernet controller",
    0x0280: "network controller",
    0x0300: "VGA controller",
    0x0380: "display controller",
    0x0401: "audio device",
    0x0403: "HD audio device",
    0x0600: "host bridge",
    0x0601: "ISA bridge",
    0x0604: "PCI bridge",
    0x0680: "other bridge",
    0x0700: "serial port",
    0x0806: "IOMMU",
    0x0C03: "USB controller",
    0x0C05: "SMBus controller",
}


def class_name(code):
    """Return the name of a class: `code` is the base class and the sub-class as 16 bits."""
    return _CLASSES.get(code) or _BASE_CLASSES.get(code >> 8) or "unknown"
