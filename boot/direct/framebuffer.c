// SPDX-License-Identifier: MIT OR Apache-2.0
//
// QEMU's standard graphics adapters: each is set to a mode with a linear framebuffer.  Sources: QEMU's
// docs/specs/standard-vga.rst; PCI Local Bus Specification 3.0, sections 3.2.2.3.2 and 6.1.

#include "cpu.h"
#include "direct.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_ENABLE (1u << 31)
// The number of a function: bus, device and function in it have 8, 5 and 3 bits.  An adapter has one function, 0.
#define PCI_FUNCTIONS 0x10000
#define PCI_FUNCTIONS_OF_DEVICE 8
#define PCI_ID 0x00
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY (1u << 1)
#define PCI_BAR0 0x10
#define PCI_BAR2 0x18
#define PCI_BAR_ADDRESS 0xfffffff0u
#define PCI_BAR_IO (1u << 0)

#define STANDARD_VGA 0x11111234u // device and vendor; "secondary-vga" has it too

// Registers in BAR 2: the VGA ports from 0x3c0 on, and those of the Bochs display interface, 16 bits each.
#define MMIO_VGA_ATTRIBUTES 0x400
#define VGA_ATTRIBUTES_UNBLANK 0x20
#define MMIO_DISPI 0x500
#define DISPI_XRES 1
#define DISPI_YRES 2
#define DISPI_BPP 3
#define DISPI_ENABLE 4
#define DISPI_VIRT_WIDTH 6
#define DISPI_VIRT_HEIGHT 7
#define DISPI_X_OFFSET 8
#define DISPI_Y_OFFSET 9
#define DISPI_VIDEO_MEMORY 10 // in units of 64 KiB
#define DISPI_ENABLED_LINEAR 0x41

static struct framebuffers found;

static uint32_t pci_read(uint32_t function, uint32_t at) {
    outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | at);
    return inl(PCI_DATA);
}

static void pci_write(uint32_t function, uint32_t at, uint32_t value) {
    outl(PCI_ADDRESS, PCI_ENABLE | function << 8 | at);
    outl(PCI_DATA, value);
}

static void dispi_write(uint64_t registers_phys, unsigned int index, uint64_t value) {
    ((volatile uint16_t *)(registers_phys + MMIO_DISPI))[index] = (uint16_t)value;
}

static uint16_t dispi_read(uint64_t registers_phys, unsigned int index) {
    return ((volatile uint16_t *)(registers_phys + MMIO_DISPI))[index];
}

static void set_mode(uint64_t registers_phys, const struct limine_framebuffer *wanted) {
    dispi_write(registers_phys, DISPI_ENABLE, 0);
    dispi_write(registers_phys, DISPI_XRES, wanted->width);
    dispi_write(registers_phys, DISPI_YRES, wanted->height);
    dispi_write(registers_phys, DISPI_BPP, wanted->bpp);
    dispi_write(registers_phys, DISPI_ENABLE, DISPI_ENABLED_LINEAR);
    dispi_write(registers_phys, DISPI_VIRT_WIDTH, wanted->width);
    dispi_write(registers_phys, DISPI_X_OFFSET, 0);
    dispi_write(registers_phys, DISPI_Y_OFFSET, 0);
    *(volatile uint8_t *)(registers_phys + MMIO_VGA_ATTRIBUTES) = VGA_ATTRIBUTES_UNBLANK;
}

static bool has_mode(uint64_t registers_phys, const struct limine_framebuffer *wanted) {
    return dispi_read(registers_phys, DISPI_XRES) == wanted->width
           && dispi_read(registers_phys, DISPI_YRES) == wanted->height
           && dispi_read(registers_phys, DISPI_BPP) == wanted->bpp
           && dispi_read(registers_phys, DISPI_VIRT_HEIGHT) >= wanted->height;
}

static void open_adapter(uint32_t function, const struct limine_framebuffer *wanted) {
    uint32_t memory = pci_read(function, PCI_BAR0), registers = pci_read(function, PCI_BAR2);
    uint64_t memory_phys = memory & PCI_BAR_ADDRESS, registers_phys = registers & PCI_BAR_ADDRESS;
    if ((memory | registers) & PCI_BAR_IO || !memory_phys || !registers_phys || found.count == FRAMEBUFFERS_MAX) {
        return;
    }
    pci_write(function, PCI_COMMAND, (pci_read(function, PCI_COMMAND) & UINT16_MAX) | PCI_COMMAND_MEMORY);
    set_mode(registers_phys, wanted);
    if (!has_mode(registers_phys, wanted)) {
        die("framebuffer: no mode of %ux%ux%u in %u KiB", wanted->width, wanted->height, (uint64_t)wanted->bpp,
            dispi_read(registers_phys, DISPI_VIDEO_MEMORY) * (64 * KIB) / KIB);
    }
    found.base_phys[found.count++] = memory_phys;
}

const struct framebuffers *framebuffers_open(const struct limine_framebuffer *wanted, struct regions *map) {
    if (!wanted->width) {
        return &found;
    }
    for (uint32_t function = 0; function < PCI_FUNCTIONS; function += PCI_FUNCTIONS_OF_DEVICE) {
        if (pci_read(function, PCI_ID) == STANDARD_VGA) {
            open_adapter(function, wanted);
        }
    }
    for (size_t i = 0; i < found.count; ++i) {
        uint64_t base = found.base_phys[i];
        uint64_t end = ALIGN_UP(base + wanted->pitch * wanted->height, PAGE_SIZE);
        regions_mark(map, base, end, LIMINE_MEMMAP_FRAMEBUFFER);
    }
    return &found;
}
