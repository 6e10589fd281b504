"""PCI on the real machine: what is found by ports and in memory, BARs, capabilities."""

import pci
from ktap import equal, raises, skip

from pfm import PFM
from pfm.paging.tables import CACHE_DISABLE, WRITE, WRITE_THROUGH


def _accesses():
    accesses = [pci.by_ports()]
    memory = pci.by_memory()
    if memory is not None:
        accesses.append(memory)
    return accesses


def _key(function):
    return function.name, function.vendor, function.device_id, function.class_code


def test_host_bridge_is_found():
    for access in _accesses():
        bridge = pci.Function(0, 0, 0, access)
        assert bridge.present
        equal((bridge.name, bridge.class_name, bridge.bars()), ("00:00.0", "host bridge", []))


def test_ports_and_memory_find_the_same():
    accesses = _accesses()
    if len(accesses) == 1:
        skip("this machine has no configuration space in memory")
    by_ports, by_memory = [pci.scan(access=access) for access in accesses]
    equal([_key(f) for f in by_ports], [_key(f) for f in by_memory])
    for number, one in enumerate(by_ports):
        other = by_memory[number]
        equal([repr(bar) for bar in one.bars()], [repr(bar) for bar in other.bars()])
        for offset in range(pci.COMMAND):
            equal(one.read8(offset), other.read8(offset))
            equal(one.read32(0) >> 8 * offset & 0xFF, other.read8(offset))


def test_scan_of_every_bus_finds_no_less():
    names = [function.name for function in pci.scan(range(256), pci.by_ports())]
    assert {function.name for function in pci.scan()} <= set(names)
    equal(len(set(names)), len(names))


def test_measuring_changes_nothing():
    for function in pci.scan():
        before = [function.read32(offset) for offset in range(pci.BAR0, pci.BAR0 + 24, 4)]
        command = function.read16(pci.COMMAND)
        for bar in function.bars():
            equal(bar.size & (bar.size - 1), 0)
            assert bar.size >= 4
            equal((bar.phys or bar.port) % bar.size, 0)
        equal([function.read32(offset) for offset in range(pci.BAR0, pci.BAR0 + 24, 4)], before)
        equal(function.read16(pci.COMMAND), command)


def test_table_has_a_line_for_each_function_and_bar():
    functions = pci.scan()
    lines = repr(functions).split("\n")
    equal(str(functions), repr(functions))
    equal(len(lines), 1 + len(functions) + sum([len(f.bars()) for f in functions]))
    assert all(len(line) <= 80 for line in lines), max(lines, key=len)


def test_bus_mastering_is_switched():
    for function in pci.scan():
        if function.class_name == "VGA controller":
            before = function.read16(pci.COMMAND)
            function.enable()
            assert function.read16(pci.COMMAND) & pci.BUS_MASTER
            function.disable()
            assert not function.read16(pci.COMMAND) & pci.BUS_MASTER
            function.write16(pci.COMMAND, before)
            return
    skip("this machine has no VGA controller")


def test_capabilities_are_in_configuration_space():
    for function in pci.scan():
        for capability in function.capabilities():
            assert 0x40 <= capability.offset < 256
            equal(capability.id, function.read8(capability.offset))


def test_memory_of_a_bar_is_mapped_uncacheable():
    for function in pci.scan():
        for bar in function.bars():
            if bar.phys and not bar.prefetchable:
                virt = function.bar(bar.number)
                equal(PFM.space.query(virt)[2], WRITE | WRITE_THROUGH | CACHE_DISABLE)
                equal(function.bar(bar.number), virt)
                return
    skip("no function has memory of its own")


def test_what_is_not_there_is_refused():
    equal(pci.find(0xFFFE, 0xFFFE), None)
    bridge = pci.Function(0, 0)
    raises(pci.PCIError, bridge.bar, 0)
    for call in (bridge.read32, bridge.read16):
        raises(pci.PCIError, call, 1)
    raises(pci.PCIError, bridge.read8, -1)
    raises(pci.PCIError, bridge.read8, 4096)
    raises(pci.PCIError, bridge.write32, 4094, 0)
    for place in ((256, 0, 0), (0, 32, 0), (0, 0, 8), (-1, 0, 0)):
        raises(ValueError, pci.Function, *place)
