// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The loader's steps: read options, files and firmware tables; place; map; answer the requests; hand over.

#include "cpu.h"
#include "direct.h"

// Intel SDM volume 3A, section 12.12; "Caching" has the layout: WB, WT, UC-, UC, WP, WC, and two unused.
#define MSR_PAT 0x277
#define PAT_LAYOUT 0x0007010500070406ull

#define STACK_SLOT sizeof(uint64_t)

static struct boot boot;
static struct regions map, served, coverage;

static void read_firmware(const struct multiboot_info *info) {
    static char no_options[] = "";
    char *line = info->flags & MULTIBOOT_INFO_CMDLINE ? (char *)(uint64_t)info->cmdline_phys : no_options;
    options_parse(&boot.options, line);
    modules_read(&boot.modules, info);

    const struct module *kernel = &boot.modules.module[0];
    image_check(&boot.image, kernel->file, kernel->size);
    requests_find(&boot.requests, &boot.image, &boot.options);

    memmap_read(&map, info, boot.requests.revision);
    if (boot.requests.revision >= 4) {
        acpi_mark_tables(&map);
    }
    if (boot.requests.revision >= 5) {
        smbios_mark_tables(&map);
    }
}

static void place(void) {
    boot.framebuffers = framebuffers_open(&boot.options.framebuffer, &map);
    regions_mark(&map, (uint64_t)image_start, (uint64_t)image_end, LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE);
    modules_place(&boot.modules, &map, &boot.options.modules);
    boot.image.base_phys = memmap_place(&map, &boot.options.kernel, boot.image.size,
        LIMINE_MEMMAP_EXECUTABLE_AND_MODULES);
    state_open(&map, &boot.options.state);
}

static void map_memory(void) {
    paging_init();
    memmap_serve(&served, &map, &boot.options);
    memmap_coverage(&coverage, &map, &served, boot.requests.revision);
    paging_map_hhdm(&coverage);
    image_map(&boot.image);
    paging_enter();
}

static uint64_t entry_point(void) {
    uint64_t entry = boot.entry_virt ? boot.entry_virt : boot.image.header->entry;
    if (entry - boot.image.base_virt >= boot.image.size) {
        die("the entry point %x lies outside the kernel's image", entry);
    }
    return entry;
}

static void fill_with_junk(void) {
    for (size_t i = 0; i < map.count; ++i) {
        const struct limine_memmap_entry *entry = &map.entry[i];
        if (entry->type == LIMINE_MEMMAP_USABLE) {
            memset(phys_to_pointer(entry->base), boot.options.junk_byte, entry->length);
        }
    }
}

_Noreturn void direct_main(uint32_t magic, const struct multiboot_info *info) {
    if (magic != MULTIBOOT_BOOTLOADER_MAGIC) {
        die("not started by a Multiboot loader (%x)", (uint64_t)magic);
    }
    read_firmware(info);
    place();
    map_memory();
    boot.served = &served;

    image_load(&boot.image);
    modules_move(&boot.modules);
    requests_answer_tag(&boot.requests, &boot.image, &boot.options);
    responses_write(&boot);

    // The stack holds a return address of zero: the kernel has nowhere to return to.
    uint64_t stack_virt = hhdm(state_pages(boot.stack_size));
    struct handover how = {
        .stack_virt = stack_virt + ALIGN_UP(boot.stack_size, PAGE_SIZE) - STACK_SLOT,
        .descriptors_virt = descriptors_write(),
        .root_phys = paging_root_phys(),
        .entry_virt = entry_point(),
        .efer = EFER_LME | EFER_LMA | (rdmsr(MSR_EFER) & EFER_NXE),
    };

    state_close(&map);
    memmap_serve(&served, &map, &boot.options);
    responses_write_memmap(&boot);
    if (boot.options.junk) {
        fill_with_junk();
    }
    if (cpuid(1).edx & CPUID_1_EDX_PAT) {
        wrmsr(MSR_PAT, PAT_LAYOUT);
    }
    interrupts_mask(boot.requests.revision);
    handover(&how);
}
