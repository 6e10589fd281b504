"""What the machine is made of: processor, ACPI tables, PCI devices.  It needs the kernel.

make run SCRIPT=examples/devices.py
"""

import struct

import acpi
import cpu
import pci

from pfm.units import human_size

highest, b, c, d = cpu.cpuid(0)
print("Processor:", struct.pack("<III", b, d, c).decode(), "- leaves up to", highest)

# MADT, type 0: a processor's local APIC.
processors = [virt for kind, virt, _ in acpi.madt() if kind == 0]
print("Processors that ACPI lists:", len(processors))

print("\nACPI tables:")
print(acpi.tables())

print("\nPCI devices:")
found = pci.scan()
print(repr(found))

memory = [bar for device in found for bar in device.bars() if bar.phys is not None]
print(
    "\n{} ranges of registers in memory, {}".format(
        len(memory), human_size(sum([bar.size for bar in memory]))
    )
)
