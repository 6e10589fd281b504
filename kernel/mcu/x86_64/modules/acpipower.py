# SPDX-License-Identifier: MIT OR Apache-2.0
"""Power off and reset by ACPI, for `machine.poweroff()` and `machine.reset()`.

No AML is run, so no \\_PTS method is, which few machines need to power off.
Source: ACPI Specification 6.5, chapters 4.8, 7.4 and 16.1.
"""

import time

import acpi
import cpu
import machine
import uctypes
from micropython import const

from pfm import PFM

# 4.8.3.2.1, PM1 control registers.
_SCI_EN = const(1 << 0)
_SLP_TYP_SHIFT = const(10)
_SLP_TYP_MASK = const(7 << 10)
_SLP_EN = const(1 << 13)

# 5.2.9, FADT flags: the reset register is there.
_RESET_REG_SUP = const(1 << 10)
# 4.8.3.6: a reset register in PCI configuration space is on bus 0.
_PCI_DEVICE_SHIFT = const(32)
_PCI_FUNCTION_SHIFT = const(16)
_PCI_OFFSET_MASK = const(0xFFFF)

# 20.2, the encoding of `Name (\\_S5, Package () {SLP_TYPa, SLP_TYPb, ...})`.
_S5 = b"_S5_"
_NAME_OP = const(0x08)
_ROOT_CHAR = const(0x5C)
_PACKAGE_OP = const(0x12)
_PACKAGE_LENGTH_SHIFT = const(6)
_BYTE_PREFIX = const(0x0A)
_ZERO_OP = const(0x00)
_ONE_OP = const(0x01)

# The change to ACPI mode may take 3 seconds (ACPICA waits as long, in evxfevnt.c).
_ENABLE_MS = const(3000)
# A machine that is still here after this time has not done what was asked.
_DONE_MS = const(3000)


def _integer(code, at):
    """Return the small integer encoded at `at`, and where the next element is; None if none is."""
    if code[at] in (_ZERO_OP, _ONE_OP):
        return code[at], at + 1
    if code[at] == _BYTE_PREFIX:
        return code[at + 1], at + 2
    return None, at


def _package(code, at):
    """Return the two sleep types in the package at `at`, None if there is none."""
    if code[at] != _PACKAGE_OP:
        return None
    # The length, then the number of elements.
    at += 2 + (code[at + 1] >> _PACKAGE_LENGTH_SHIFT)
    first, at = _integer(code, at + 1)
    second, _ = _integer(code, at)
    return None if first is None or second is None else (first, second)


def sleep_types():
    """Return the SLP_TYP values of state S5 for the registers PM1a and PM1b, None without one.

    Found by the bytes of `\\_S5` in the DSDT or an SSDT, not by running AML.  Raises
    ACPIError without ACPI tables.  Cost: a copy of each of these tables on the Python heap.
    """
    for table in acpi.tables():
        if table.signature not in ("DSDT", "SSDT"):
            continue
        # The zeros end a package that is cut off.
        code = uctypes.bytes_at(table.virt, table.size) + bytes(16)
        at = code.find(_S5, acpi.HEADER_SIZE)
        while at >= 0:
            named = code[at - 2 : at]
            if named[1] == _NAME_OP or (named[0] == _NAME_OP and named[1] == _ROOT_CHAR):
                found = _package(code, at + len(_S5))
                if found:
                    return found
            at = code.find(_S5, at + 1)
    return None


class _Register:
    """A register of 16 bits in the address space `space` of a generic address structure."""

    def __init__(self, space, address):
        if space == acpi.MEMORY:
            address = PFM.space.map_io(address, 2)
        elif space != acpi.PORT:
            raise acpi.ACPIError(address, "a control register in address space {}".format(space))
        self._space = space
        self._address = address

    def read(self):
        if self._space == acpi.PORT:
            return cpu.inw(self._address)
        return machine.mem16[self._address]

    def write(self, value):
        if self._space == acpi.PORT:
            cpu.outw(self._address, value)
        else:
            machine.mem16[self._address] = value


def _control(fadt, name):
    """Return a PM1 control register by its field's name, None if the machine has none."""
    if fadt.holds(acpi.FADT_2):
        wide = getattr(fadt.struct(acpi.FADT_2), name)
        if wide.address:
            return _Register(wide.space, wide.address)
    port = getattr(fadt.struct(acpi.FADT), name)
    return _Register(acpi.PORT, port) if port else None


def _enable(fadt, control):
    """Change to ACPI mode, in which the control registers work (4.8.2.5)."""
    fields = fadt.struct(acpi.FADT)
    if control.read() & _SCI_EN or not fields.smi_command or not fields.acpi_enable:
        return
    cpu.outb(fields.smi_command, fields.acpi_enable)
    start = time.ticks_ms()
    while not control.read() & _SCI_EN:
        if time.ticks_diff(time.ticks_ms(), start) > _ENABLE_MS:
            raise acpi.ACPIError(fadt.phys, "ACPI mode not reached")


def _enter(register, kind):
    """Ask for the sleep state `kind` by a control register (16.1.6)."""
    value = register.read() & ~(_SLP_TYP_MASK | _SLP_EN)
    value |= kind << _SLP_TYP_SHIFT & _SLP_TYP_MASK
    register.write(value)
    register.write(value | _SLP_EN)


def poweroff():
    """Put the machine into state S5, off.

    Raises ACPIError if there are no ACPI tables, no `\\_S5`, or the machine stays on.
    """
    fadt = acpi.find("FACP")
    if fadt is None:
        raise acpi.ACPIError(0, "no FADT")
    types = sleep_types()
    control = _control(fadt, "pm1a_control")
    if types is None or control is None:
        raise acpi.ACPIError(fadt.phys, "no state S5")
    _enable(fadt, control)
    _enter(control, types[0])
    second = _control(fadt, "pm1b_control")
    if second is not None:
        _enter(second, types[1])
    time.sleep_ms(_DONE_MS)
    raise acpi.ACPIError(fadt.phys, "still on after a request for state S5")


def reset():
    """Write the reset register.  Raises ACPIError if there is none, or the machine goes on."""
    fadt = acpi.find("FACP")
    if fadt is None or not fadt.holds(acpi.FADT_2):
        raise acpi.ACPIError(0, "no FADT with a reset register")
    if not fadt.struct(acpi.FADT).flags & _RESET_REG_SUP:
        raise acpi.ACPIError(fadt.phys, "no reset register")
    fields = fadt.struct(acpi.FADT_2)
    register = fields.reset_register
    address = register.address
    if register.space == acpi.PORT:
        cpu.outb(address, fields.reset_value)
    elif register.space == acpi.MEMORY:
        machine.mem8[PFM.space.map_io(address, 1)] = fields.reset_value
    elif register.space == acpi.PCI:
        import pci

        function = pci.Function(
            0,
            address >> _PCI_DEVICE_SHIFT & _PCI_OFFSET_MASK,
            address >> _PCI_FUNCTION_SHIFT & _PCI_OFFSET_MASK,
        )
        function.write8(address & _PCI_OFFSET_MASK, fields.reset_value)
    time.sleep_ms(_DONE_MS)
    raise acpi.ACPIError(fadt.phys, "still running after a reset")
