# SPDX-License-Identifier: MIT OR Apache-2.0
"""The local APIC: lets the legacy interrupt controllers and the NMI reach the processor.

The controllers' timer interrupt ends a halt; the NMI makes a hung machine print a fault report.
Newer loaders leave both inputs masked.  Source: Intel SDM volume 3, chapter 11.
"""

import cpu
import machine
from micropython import const

from pfm.address import PAGE_SIZE

# IA32_APIC_BASE and its bits (11.4.4, 11.12.1).
_APIC_BASE = const(0x1B)
_ENABLED = const(1 << 11)
_X2APIC = const(1 << 10)
_BASE_PHYS = const(0x000F_FFFF_FFFF_F000)

# Registers: their offset in the page, and in x2APIC mode their MSR (table 11-6).
_SPURIOUS = const(0xF0)
_LINT0 = const(0x350)
_LINT1 = const(0x360)
_X2APIC_MSR = const(0x800)

# Software enable, without which every input stays masked, and the last vector for spurious
# interrupts (11.9).
_SPURIOUS_ENABLED = const(0x1FF)
# The vector comes from the external controller; not masked (figure 11-8).
_LINT0_EXTINT = const(0x700)
# Delivered as NMI, not masked; PCs wire the NMI to LINT1 (MultiProcessor Specification 1.4,
# 3.6.2.1).
_LINT1_NMI = const(0x400)


def _register_writer(manager):
    base = cpu.rdmsr(_APIC_BASE)
    if base & _X2APIC:
        return lambda offset, value: cpu.wrmsr(_X2APIC_MSR + (offset >> 4), value)
    virt = manager.space.map_io(base & _BASE_PHYS, PAGE_SIZE)

    def write(offset, value):
        machine.mem32[virt + offset] = value

    return write


def route_legacy_interrupts(manager):
    """Route the NMI to this processor, and the legacy controllers unless they arrive already.

    Maps the local APIC's page into `manager.space` if it is not mapped.  Returns whether the
    timer's interrupt arrives now.
    """
    if cpu.rdmsr(_APIC_BASE) & _ENABLED:
        write = _register_writer(manager)
        write(_SPURIOUS, _SPURIOUS_ENABLED)
        write(_LINT1, _LINT1_NMI)
        if not cpu.irq_check():
            write(_LINT0, _LINT0_EXTINT)
    return cpu.irq_check()
