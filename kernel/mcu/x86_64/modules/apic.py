# SPDX-License-Identifier: MIT OR Apache-2.0
"""The local APIC: lets the legacy interrupt controllers and the NMI reach the processor, and
processors interrupt one another.

The controllers' timer interrupt ends a halt; the NMI makes a hung machine print a fault report.
Newer loaders leave both inputs masked.  Source: Intel SDM volume 3, chapter 11.
"""

import cpu
import machine
import smp
from micropython import const

from pfm.address import PAGE_SIZE

# IA32_APIC_BASE and its bits (11.4.4, 11.12.1).
_APIC_BASE = const(0x1B)
_ENABLED = const(1 << 11)
_X2APIC = const(1 << 10)
_BASE_PHYS = const(0x000F_FFFF_FFFF_F000)

# Whether there is an x2APIC mode: leaf 1, ECX (11.12.1).
_CPUID_X2APIC = const(1 << 21)

# Registers: their offset in the page, and in x2APIC mode their MSR (table 11-6).
_ID = const(0x20)
_SPURIOUS = const(0xF0)
_ICR_LOW = const(0x300)
_ICR_HIGH = const(0x310)
_LINT0 = const(0x350)
_LINT1 = const(0x360)
_X2APIC_MSR = const(0x800)
# Of an APIC ID of 8 bits, in the register of the ID, too (11.4.6, 11.6.1).
_ICR_DESTINATION_SHIFT = const(24)

# Software enable, without which every input stays masked, and the last vector for spurious
# interrupts (11.9).
_SPURIOUS_ENABLED = const(0x1FF)
# The vector comes from the external controller; not masked (figure 11-8).
_LINT0_EXTINT = const(0x700)
# Where a device writes the vector, for the processor with this APIC ID of 8 bits (11.11.1).
_MESSAGE_PHYS = const(0xFEE0_0000)
_MESSAGE_ID_SHIFT = const(12)
_MESSAGE_ID_END = const(255)
# Delivered as NMI, not masked; PCs wire the NMI to LINT1 (MultiProcessor Specification 1.4,
# 3.6.2.1).
_LINT1_NMI = const(0x400)


def is_enabled():
    """Return whether this processor's local APIC is there and on."""
    return bool(cpu.rdmsr(_APIC_BASE) & _ENABLED)


def enter_x2apic():
    """Put this processor's local APIC in x2APIC mode, if there is one; return whether it is in it.

    It must be on.  The inputs stay routed as they are.  Only a reset ends this mode (11.12.5).
    """
    base = cpu.rdmsr(_APIC_BASE)
    if not base & _X2APIC and cpu.cpuid(1)[2] & _CPUID_X2APIC:
        base |= _X2APIC
        cpu.wrmsr(_APIC_BASE, base)
    return bool(base & _X2APIC)


def registers(manager):
    """Return where the local APIC's registers are mapped, 0 if they are MSRs (x2APIC mode).

    Maps their page into `manager.space` if it is not mapped.
    """
    base = cpu.rdmsr(_APIC_BASE)
    if base & _X2APIC:
        return 0
    return manager.space.map_io(base & _BASE_PHYS, PAGE_SIZE)


def read_id(virt):
    """Return the APIC ID of this processor; `virt` is what `registers` returned."""
    if virt:
        return machine.mem32[virt + _ID] >> _ICR_DESTINATION_SHIFT
    return cpu.rdmsr(_X2APIC_MSR + (_ID >> 4))


def write(virt, offset, value):
    """Write the register at `offset`; `virt` is what `registers` returned."""
    if virt:
        machine.mem32[virt + offset] = value
    else:
        cpu.wrmsr(_X2APIC_MSR + (offset >> 4), value)


def send(virt, apic_id, command):
    """Send the interrupt `command`, a value of the ICR, to the processor `apic_id`."""
    if virt:
        write(virt, _ICR_HIGH, apic_id << _ICR_DESTINATION_SHIFT)
        write(virt, _ICR_LOW, command)
    else:
        # The write waits for no earlier store unless an instruction before it does (11.12.3).
        cpu.cpuid(0)
        write(virt, _ICR_LOW, apic_id << 32 | command)


def route_legacy_interrupts(manager):
    """Route the NMI to this processor, and the legacy controllers unless they arrive already.

    Maps the local APIC's page into `manager.space` if it is not mapped.  Returns whether the
    timer's interrupt arrives now.
    """
    if is_enabled():
        virt = registers(manager)
        write(virt, _SPURIOUS, _SPURIOUS_ENABLED)
        write(virt, _LINT1, _LINT1_NMI)
        if not cpu.irq_check():
            write(virt, _LINT0, _LINT0_EXTINT)
    return cpu.irq_check()


def message(manager):
    """Return (address, value) of the write by which a device ends a halt of this processor.

    Maps the local APIC's page into `manager.space` if it is not mapped.  None if there is no
    local APIC, or if its ID does not fit.  Source: SDM volume 3, 11.11 "Message Signalled
    Interrupts".
    """
    if not is_enabled():
        return None
    virt = registers(manager)
    apic_id = read_id(virt)
    if apic_id >= _MESSAGE_ID_END:
        return None
    smp.set_apic(virt)
    return _MESSAGE_PHYS | apic_id << _MESSAGE_ID_SHIFT, smp.VECTOR
