// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The files that QEMU loaded for -initrd: the kernel's first, then any modules for it.

#include "direct.h"

void modules_read(struct modules *modules, const struct multiboot_info *info) {
    const struct multiboot_module *given = (const void *)(uint64_t)info->mods_phys;
    if (!(info->flags & MULTIBOOT_INFO_MODULES) || !info->mods_count) {
        die("no kernel: QEMU's -initrd names it");
    }
    if (info->mods_count > MODULES_MAX) {
        die("%u files after -initrd, more than %u", (uint64_t)info->mods_count, (uint64_t)MODULES_MAX);
    }
    for (size_t i = 0; i < info->mods_count; ++i) {
        modules->module[i] = (struct module) {
            .file = (const void *)(uint64_t)given[i].start_phys,
            .size = given[i].end_phys - given[i].start_phys,
            .phys = given[i].start_phys,
            .string = (const char *)(uint64_t)given[i].string_phys,
        };
    }
    modules->count = info->mods_count;
}

const char *module_arguments(const struct module *module) {
    const char *s = module->string;
    while (*s && *s != ' ') {
        ++s;
    }
    while (*s == ' ') {
        ++s;
    }
    return s;
}

uint64_t module_path(const struct module *module) {
    const char *s = module->string;
    size_t length = 0;
    while (s[length] && s[length] != ' ') {
        ++length;
    }
    // The protocol's paths begin with a slash.
    size_t slash = *s != '/';
    char *path = state_object(length + slash + 1);
    path[0] = '/';
    memcpy(path + slash, s, length);
    return hhdm(path);
}

static void mark_pages(struct regions *map, const void *start, uint64_t size, uint64_t type) {
    uint64_t base = ALIGN_DOWN((uint64_t)start, PAGE_SIZE), end = ALIGN_UP((uint64_t)start + size, PAGE_SIZE);
    if (regions_are_usable(map, base, end - base)) {
        regions_mark(map, base, end, type);
    }
}

void modules_place(struct modules *modules, struct regions *map, const struct placement *where) {
    bool stay = where->kind == PLACE_DEFAULT;
    uint64_t total = 0;
    for (size_t i = 0; i < modules->count; ++i) {
        const struct module *module = &modules->module[i];
        mark_pages(map, module->string, string_length(module->string) + 1, LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE);
        mark_pages(map, module->file, module->size,
            stay ? LIMINE_MEMMAP_EXECUTABLE_AND_MODULES : LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE);
        total += ALIGN_UP(module->size, PAGE_SIZE);
    }
    if (stay) {
        return;
    }
    uint64_t phys = memmap_place(map, where, total, LIMINE_MEMMAP_EXECUTABLE_AND_MODULES);
    for (size_t i = 0; i < modules->count; ++i) {
        modules->module[i].phys = phys;
        phys += ALIGN_UP(modules->module[i].size, PAGE_SIZE);
    }
}

void modules_move(const struct modules *modules) {
    for (size_t i = 0; i < modules->count; ++i) {
        const struct module *module = &modules->module[i];
        if (module->phys != (uint64_t)module->file) {
            memcpy(phys_to_pointer(module->phys), module->file, module->size);
        }
    }
}
