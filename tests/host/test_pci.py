"""PCI devices of QEMU as the module pci finds them: behind a bridge, with virtio's capabilities, by ports alone."""

from dataclasses import replace

import pytest
from prompt import at_prompt

# A virtio device on the root bus and one behind a bridge; both without the ids of virtio before 1.0.
Q35 = (
    "-machine q35 -device virtio-rng-pci,addr=5,disable-legacy=on"
    " -device pcie-root-port,id=below,chassis=1,addr=6"
    " -device virtio-rng-pci,bus=below,disable-legacy=on"
)
PC = (
    "-machine pc -device virtio-rng-pci,addr=5,disable-legacy=on"
    " -device pci-bridge,id=below,chassis_nr=1,addr=6"
    " -device virtio-rng-pci,bus=below,addr=1,disable-legacy=on"
)
# Virtio 1.2: vendor, a modern entropy source, the type of the common configuration.
FIND = """
import machine, pci
devices = [pci.find(0x1AF4, 0x1044, number) for number in range(3)]
def common(device):
    for capability in device.capabilities():
        if capability.id == pci.VENDOR_SPECIFIC and capability.virtio()[0] == 1:
            return capability.virtio()
def virtqueue_sizes(device):
    # 4.1.4.3: num_queues, then the size of the queue that is selected.
    kind, bar, offset, length = common(device)
    assert length >= 56
    device.enable()
    virt = device.bar(bar) + offset
    return machine.mem16[virt + 18], machine.mem16[virt + 24]
"""


# Of both: one queue, and its size in QEMU 7.2 and in 10.0.
QUEUES = ([[1, 8], [1, 8]], [[1, 1024], [1, 1024]])


@pytest.mark.parametrize(("flags", "memory"), [(Q35, True), (PC, False)], ids=("q35", "pc"))
def test_virtio_devices(stand_in, micropython, flags, memory):
    boot = replace(stand_in.with_cmdline(""), qemuflags=flags)
    with at_prompt(boot, micropython) as prompt:
        prompt.run(FIND)
        assert prompt.value("pci.by_memory() is not None") is memory
        assert prompt.value("[d and d.bus for d in devices]") == [0, 1, None]
        assert prompt.value("[virtqueue_sizes(d) for d in devices[:2]]") in QUEUES
        wide = "[b.wide for d in devices[:2] for b in d.bars() if b.number == common(d)[1]]"
        assert prompt.value(wide) == [True, True]
        prompt.soft_reset()
        prompt.run(FIND)
        assert prompt.value("[virtqueue_sizes(d) for d in devices[:2]]") in QUEUES
