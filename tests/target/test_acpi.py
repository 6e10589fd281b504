"""The ACPI tables of the machine, garbled ones, and the copies that outlive `PFM.reclaim(acpi=True)`."""

import acpi
import acpicopy
import acpipower
import cpu
import limine
import machine
import owners
import uctypes
from ktap import equal, raises, skip

from pfm import PFM
from pfm.address import PAGE_SHIFT, PAGE_SIZE

# IA-PC HPET Specification 1.0a, 2.3.4: femtoseconds of a tick.
HPET_PERIOD = 4
HPET_PERIOD_MAX = 0x05F5E100


def _tables():
    if limine.response("rsdp") is None:
        skip("this machine has no ACPI")
    return acpi.tables()


def test_tables_are_found_and_their_checksums_right():
    tables = _tables()
    signatures = [table.signature for table in tables]
    for wanted in ("FACP", "APIC", "DSDT"):
        assert wanted in signatures, signatures
    assert all(table.valid for table in tables), tables
    equal(tables.refused, [])


def test_table_is_printed_in_a_line():
    tables = _tables()
    lines = repr(tables).split("\n")
    equal(len(lines), 1 + len(tables.found))
    assert all(len(line) <= 80 for line in lines)
    assert "FACP  p0x" in repr(acpi.find("FACP")) and "valid" in repr(acpi.find("FACP"))


def test_table_by_its_signature():
    _tables()
    equal(acpi.find("FACP").signature, "FACP")
    equal(acpi.find("FACP", 1), None)
    equal(acpi.find("NONE"), None)


def test_madt_lists_this_processor():
    _tables()
    found = [
        acpi.struct(virt, acpi.MADT_LOCAL_APIC).apic
        for kind, virt, length in acpi.madt()
        if kind == 0 and length == uctypes.sizeof(acpi.MADT_LOCAL_APIC, uctypes.LITTLE_ENDIAN)
    ]
    assert cpu.cpuid(1)[1] >> 24 in found, found


def test_hpet_is_where_its_table_says():
    _tables()
    table = acpi.find("HPET")
    if table is None:
        skip("this machine has no HPET")
    virt = PFM.space.map_io(table.struct(acpi.HPET).address.address, 1024)
    assert 0 < machine.mem32[virt + HPET_PERIOD] <= HPET_PERIOD_MAX
    # The lower half of its capabilities is what the table repeats.
    equal(machine.mem32[virt], table.struct(acpi.HPET).id)


def test_garbled_tables_are_refused():
    pfn = PFM.alloc(zero=True)
    try:
        phys = pfn << PAGE_SHIFT
        header = acpi.struct(PFM.as_virt(phys), acpi.HEADER)
        for length in (0, acpi.HEADER_SIZE - 1, 0xFFFFFFFF):
            header.length = length
            equal(raises(acpi.ACPIError, acpi.Table, phys).phys, phys)
        header.length = acpi.HEADER_SIZE
        table = acpi.Table(phys)
        header.checksum += 1
        assert not table.valid
        raises(acpi.ACPIError, table.struct, acpi.FADT)
        # No physical address of any processor.
        raises(acpi.ACPIError, acpi.Table, 1 << 60)
        raises(acpi.ACPIError, acpi.Table, 0)
    finally:
        PFM.free(pfn)


def test_sleep_types_in_aml():
    package = acpipower._package
    equal(package(b"\x12\x06\x04\x00\x00\x00\x00", 0), (0, 0))
    equal(package(b"\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00", 0), (5, 7))
    # A length of two bytes.
    equal(package(b"\x12\x46\x00\x02\x01\x0a\x03", 0), (1, 3))
    equal(package(b"\x14\x06\x04\x00\x00\x00\x00", 0), None)
    equal(package(b"\x12\x06\x04\x0c\x00\x00\x00\x00", 0), None)


def test_the_machine_can_be_powered_off():
    _tables()
    assert acpipower.sleep_types() is not None


def test_copies_take_the_place_of_the_tables():
    before = [(t.signature, t.size, t.oem, t.revision, t.valid) for t in _tables()]
    acpicopy.move(PFM)
    copies = acpi.tables()
    equal([(t.signature, t.size, t.oem, t.revision, t.valid) for t in copies], before)
    for table in copies:
        for virt in (table.virt, table.virt + table.size - 1):
            equal(PFM.identify(virt).tag, owners.ACPI)
    pointer = acpi.rsdp()[0]
    free = PFM.count_free()
    acpicopy.move(PFM)
    equal((acpi.rsdp()[0], PFM.count_free()), (pointer, free))


def test_local_apic_by_map_io():
    base = cpu.rdmsr(0x1B) & 0x000F_FFFF_FFFF_F000
    virt = PFM.space.map_io(base + 0x30, 4)
    equal(virt, PFM.space.map_io(base, PAGE_SIZE) + 0x30)
    # SDM volume 3, 11.4.8: a version of 10H to 15H is an integrated APIC.
    assert 0x10 <= machine.mem32[virt] & 0xFF <= 0x15
