// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A kernel that only tells what it was handed: one line a fact, `name value...`, on COM1, then exit code 0.
//
// Built by probe_kernel.py, with macros for the odd variants: REVISION (the base revision asked for, absent: no tag),
// NO_MARKERS, DUPLICATE (one request twice), SWAPPED_MARKERS, OTHER_ENTRY (an entry point request), STACK_SIZE,
// MIN_PAGING_MODE, BSS_BYTES.

#include <stddef.h>
#include <stdint.h>

#include "limine.h"

#define REQUEST __attribute__((section(".requests"), used, aligned(8)))

#ifndef NO_MARKERS
#ifdef SWAPPED_MARKERS
#define START_SECTION ".requests_end"
#define END_SECTION ".requests_start"
#else
#define START_SECTION ".requests_start"
#define END_SECTION ".requests_end"
#endif
__attribute__((section(START_SECTION), used, aligned(8))) static uint64_t start_marker[] = LIMINE_START_MARKER;
__attribute__((section(END_SECTION), used, aligned(8))) static uint64_t end_marker[] = LIMINE_END_MARKER;
#endif

#ifdef REVISION
REQUEST static volatile struct limine_base_revision tag = LIMINE_BASE_REVISION_TAG(REVISION);
#endif

// Outside the markers, so it must stay unanswered wherever there are markers; without them it is the only one of its
// kind.
__attribute__((used, aligned(8))) static volatile struct limine_request outside = {
    LIMINE_ID(LIMINE_DATE_AT_BOOT), 0, 0,
};

#define PLAIN(name, id) REQUEST static volatile struct limine_request name = { LIMINE_ID(id), 0, 0 }
PLAIN(bootloader_info, LIMINE_BOOTLOADER_INFO);
PLAIN(executable_cmdline, LIMINE_EXECUTABLE_CMDLINE);
PLAIN(firmware_type, LIMINE_FIRMWARE_TYPE);
PLAIN(hhdm_request, LIMINE_HHDM);
PLAIN(framebuffer, LIMINE_FRAMEBUFFER);
PLAIN(memmap, LIMINE_MEMMAP);
PLAIN(executable_file, LIMINE_EXECUTABLE_FILE);
PLAIN(module, LIMINE_MODULE);
PLAIN(rsdp, LIMINE_RSDP);
#ifdef NO_MARKERS
#define date_at_boot outside
#else
PLAIN(date_at_boot, LIMINE_DATE_AT_BOOT);
#endif
PLAIN(executable_address, LIMINE_EXECUTABLE_ADDRESS);
#ifdef DUPLICATE
PLAIN(memmap_again, LIMINE_MEMMAP);
#endif
#ifndef STACK_SIZE
#define STACK_SIZE 0
#endif
REQUEST static volatile struct limine_stack_size_request stack_size = {
    { LIMINE_ID(LIMINE_STACK_SIZE), 0, 0 }, STACK_SIZE,
};
#ifndef MIN_PAGING_MODE
#define MIN_PAGING_MODE 0
#endif
REQUEST static volatile struct limine_paging_mode_request paging_mode = {
    { LIMINE_ID(LIMINE_PAGING_MODE), 1, 0 }, MIN_PAGING_MODE, 1, MIN_PAGING_MODE,
};
#ifdef OTHER_ENTRY
void other_entry(void);
REQUEST static volatile struct limine_entry_point_request entry_point = {
    { LIMINE_ID(LIMINE_ENTRY_POINT), 0, 0 }, (uint64_t)other_entry,
};
#endif

extern char image_start[], image_end[];

// Registers as the entry code found them: rax to r15 in the processor's order, rflags, and which entry it was.
uint64_t entry_registers[18];

__attribute__((section(".native"), used)) static char native[8192];
#ifndef BSS_BYTES
#define BSS_BYTES 65536
#endif
static volatile char bss[BSS_BYTES];

__asm__ (
    ".text\n"
    ".global entry, other_entry\n"
    "other_entry:\n"
    "    movq $1, entry_registers + 17*8(%rip)\n"
    "entry:\n"
    "    mov %rax, entry_registers(%rip)\n"
    "    mov %rcx, entry_registers + 8(%rip)\n"
    "    mov %rdx, entry_registers + 16(%rip)\n"
    "    mov %rbx, entry_registers + 24(%rip)\n"
    "    mov %rsp, entry_registers + 32(%rip)\n"
    "    mov %rbp, entry_registers + 40(%rip)\n"
    "    mov %rsi, entry_registers + 48(%rip)\n"
    "    mov %rdi, entry_registers + 56(%rip)\n"
    "    mov %r8, entry_registers + 64(%rip)\n"
    "    mov %r9, entry_registers + 72(%rip)\n"
    "    mov %r10, entry_registers + 80(%rip)\n"
    "    mov %r11, entry_registers + 88(%rip)\n"
    "    mov %r12, entry_registers + 96(%rip)\n"
    "    mov %r13, entry_registers + 104(%rip)\n"
    "    mov %r14, entry_registers + 112(%rip)\n"
    "    mov %r15, entry_registers + 120(%rip)\n"
    "    pushfq\n"
    "    popq entry_registers + 128(%rip)\n"
    "    jmp probe_main\n");

static uint8_t inb(uint16_t port) {
    uint8_t value;
    __asm__ volatile ("inb %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static void outb(uint16_t port, uint8_t value) {
    __asm__ volatile ("outb %0, %1" : : "a" (value), "Nd" (port));
}

static uint64_t rdmsr(uint32_t msr) {
    uint32_t low, high;
    __asm__ volatile ("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
    return (uint64_t)high << 32 | low;
}

static void put(char c) {
    while (!(inb(0x3fd) & 0x20)) {
    }
    outb(0x3f8, (uint8_t)c);
}

static void text(const char *s) {
    while (*s) {
        put(*s++);
    }
}

static void hex(uint64_t value) {
    text(" 0x");
    for (int shift = value ? (63 - __builtin_clzll(value)) & ~3 : 0; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[value >> shift & 15]);
    }
}

static void fact(const char *name, uint64_t value) {
    text(name);
    hex(value);
    put('\n');
}

static void fact_text(const char *name, uint64_t s_virt) {
    text(name);
    put(' ');
    text((const char *)s_virt);
    put('\n');
}

static uint64_t hhdm_offset;

// The leaf entry that maps an address, with bit 9 set for its level's page size; 0 when there is none.
static uint64_t leaf(uint64_t virt, uint64_t *page) {
    uint64_t table;
    __asm__ ("mov %%cr3, %0" : "=r" (table));
    for (int shift = 39; ; shift -= 9) {
        uint64_t entry = ((uint64_t *)(hhdm_offset + (table & 0x000ffffffffff000)))[virt >> shift & 511];
        if (!(entry & 1)) {
            return 0;
        }
        if (shift == 12 || (shift < 39 && entry & 0x80)) {
            *page = 1ull << shift;
            return entry;
        }
        table = entry;
    }
}

static void mapping(const char *name, uint64_t virt) {
    uint64_t page = 0, entry = leaf(virt, &page);
    text(name);
    hex(virt);
    if (!entry) {
        text(" ---\n");
        return;
    }
    hex((entry & 0x000ffffffffff000 & -page) | (virt & (page - 1) & ~0xfffull));
    put(' ');
    put('r');
    put(entry & 2 ? 'w' : '-');
    put(entry >> 63 ? '-' : 'x');
    // The memory type that the PAT's entry 5 has, which is write combining; no bit of any other.
    uint64_t pat = page == 4096 ? 1 << 7 : 1 << 12;
    uint64_t type = entry & (pat | 1 << 4 | 1 << 3);
    put(type == (pat | 1 << 3) ? 'c' : type ? '?' : '-');
    hex(page);
    put('\n');
}

static void print_state(void) {
    for (int i = 0; i < 16; ++i) {
        if (i != 4) {
            fact("register", entry_registers[i]);
        }
    }
    fact("rsp", entry_registers[4]);
    fact("return", *(uint64_t *)entry_registers[4]);
    fact("rflags", entry_registers[16]);
    fact("entry", entry_registers[17]);
    uint64_t value;
    __asm__ ("mov %%cr0, %0" : "=r" (value));
    fact("cr0", value);
    __asm__ ("mov %%cr3, %0" : "=r" (value));
    fact("cr3", value);
    __asm__ ("mov %%cr4, %0" : "=r" (value));
    fact("cr4", value);
    fact("efer", rdmsr(0xc0000080));
    fact("pat", rdmsr(0x277));
    fact("fs_base", rdmsr(0xc0000100));
    fact("gs_base", rdmsr(0xc0000101));
    uint16_t selector;
    __asm__ ("mov %%cs, %0" : "=r" (selector));
    fact("cs", selector);
    __asm__ ("mov %%ds, %0" : "=r" (selector));
    fact("ds", selector);
    __asm__ ("mov %%ss, %0" : "=r" (selector));
    fact("ss", selector);
    __asm__ ("sldt %0" : "=r" (selector));
    fact("ldtr", selector);
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) table;
    __asm__ ("sidt %0" : "=m" (table));
    fact("idtr_limit", table.limit);
    fact("idtr_base", table.base);
    __asm__ ("sgdt %0" : "=m" (table));
    fact("gdtr_limit", table.limit);
    fact("gdtr_base", table.base);
    for (int i = 0; i < 7; ++i) {
        fact("descriptor", ((uint64_t *)table.base)[i]);
    }
    fact("pic", (uint64_t)(inb(0x21) << 8 | inb(0xa1)));
}

static void print_memmap(void) {
    const struct limine_memmap_response *response = (void *)memmap.response;
    fact("memmap", response->entry_count);
    struct limine_memmap_entry **entries = (void *)response->entries;
    for (uint64_t i = 0; i < response->entry_count; ++i) {
        text("region");
        hex(entries[i]->base);
        hex(entries[i]->length);
        hex(entries[i]->type);
        put('\n');
    }
    fact("memmap_response", memmap.response);
    fact("memmap_entries", response->entries);
    fact("memmap_entry", (uint64_t)entries[0]);
}

static void print_hhdm_edges(void) {
    const struct limine_memmap_response *response = (void *)memmap.response;
    struct limine_memmap_entry **entries = (void *)response->entries;
    for (uint64_t i = 0; i < response->entry_count; ++i) {
        if (entries[i]->length && entries[i]->base + entries[i]->length <= 1ull << 40) {
            mapping("first", hhdm_offset + entries[i]->base);
            mapping("last", hhdm_offset + entries[i]->base + entries[i]->length - 1);
        }
    }
}

static void print_file(const char *name, const struct limine_file *file) {
    text(name);
    hex(file->address);
    hex(file->size);
    put(' ');
    text((const char *)file->path);
    put('|');
    text((const char *)file->string);
    put('|');
    hex(file->media_type);
    hex(*(uint32_t *)file->address);
    put('\n');
}

static void print_responses(void) {
#ifdef REVISION
    fact("revision", tag.revision);
    fact("in_force", tag.magic[1]);
#endif
    fact("outside", outside.response);
    const struct limine_framebuffer_response *framebuffers = (void *)framebuffer.response;
    for (uint64_t i = 0; framebuffers && i < framebuffers->framebuffer_count; ++i) {
        const struct limine_framebuffer *f = ((const struct limine_framebuffer **)framebuffers->framebuffers)[i];
        text("framebuffer");
        hex(f->address);
        hex(f->width);
        hex(f->height);
        hex(f->pitch);
        hex(f->bpp);
        hex(f->memory_model);
        hex(f->red_mask_size << 8 | f->red_mask_shift);
        hex(f->green_mask_size << 8 | f->green_mask_shift);
        hex(f->blue_mask_size << 8 | f->blue_mask_shift);
        put('\n');
    }
    fact("stack_size", stack_size.head.response != 0);
    if (bootloader_info.response) {
        const struct limine_bootloader_info_response *response = (void *)bootloader_info.response;
        fact_text("loader", response->name);
        fact_text("version", response->version);
    }
    if (executable_cmdline.response) {
        fact_text("cmdline", ((struct limine_executable_cmdline_response *)executable_cmdline.response)->cmdline);
    }
    if (firmware_type.response) {
        fact("firmware", ((struct limine_firmware_type_response *)firmware_type.response)->firmware_type);
    }
    if (paging_mode.head.response) {
        fact("paging_mode", ((struct limine_paging_mode_response *)paging_mode.head.response)->mode);
    }
    if (rsdp.response) {
        fact("rsdp", ((struct limine_rsdp_response *)rsdp.response)->address);
    }
    if (date_at_boot.response) {
        fact("date", (uint64_t)((struct limine_date_at_boot_response *)date_at_boot.response)->timestamp);
    }
    if (executable_address.response) {
        const struct limine_executable_address_response *response = (void *)executable_address.response;
        fact("physical_base", response->physical_base);
        fact("virtual_base", response->virtual_base);
    }
    if (executable_file.response) {
        const struct limine_executable_file_response *response = (void *)executable_file.response;
        print_file("file", (struct limine_file *)response->executable_file);
    }
    if (module.response) {
        const struct limine_module_response *response = (void *)module.response;
        for (uint64_t i = 0; i < response->module_count; ++i) {
            print_file("module", ((struct limine_file **)response->modules)[i]);
        }
    }
}

static void print_image(void) {
    fact("image", (uint64_t)(image_end - image_start));
    mapping("text", (uint64_t)image_start);
    mapping("rodata", (uint64_t)"");
    mapping("data", (uint64_t)&memmap);
    mapping("bss", (uint64_t)&bss[BSS_BYTES - 1]);
    mapping("native", (uint64_t)native);
    mapping("below", (uint64_t)image_start - 1);
    mapping("above", (uint64_t)image_end);
    mapping("null", 0);
    uint64_t set = 0;
    for (size_t i = 0; i < BSS_BYTES; ++i) {
        set += bss[i] != 0;
    }
    fact("bss_set", set);
}

#ifdef REVISION
static uint32_t read32(uint64_t phys, uint64_t offset) {
    return *(volatile uint32_t *)(hhdm_offset + phys + offset);
}

static void print_table(uint64_t phys) {
    uint64_t page;
    if (!leaf(hhdm_offset + phys, &page)) {
        fact("acpi_unmapped", phys);
        return;
    }
    text("acpi");
    hex(phys);
    hex(read32(phys, 4));
    put(' ');
    for (int i = 0; i < 4; ++i) {
        put(*(volatile char *)(hhdm_offset + phys + i));
    }
    put('\n');
    if (read32(phys, 0) == 0x50434146) { // "FACP": FACS and DSDT hang from it alone
        print_table(read32(phys, 36));
        print_table(read32(phys, 40));
    }
}

// ACPI 6.5, sections 5.2.5.3 and 5.2.7: the root pointer has the RSDT's address at 16, the RSDT entries from 36 on.
static void print_acpi(void) {
    if (!rsdp.response || tag.magic[1] < 4) {
        return;
    }
    uint64_t root = ((struct limine_rsdp_response *)rsdp.response)->address - hhdm_offset;
    uint64_t rsdt = read32(root, 16);
    print_table(rsdt);
    for (uint64_t at = 36; at < read32(rsdt, 4); at += 4) {
        print_table(read32(rsdt, at));
    }
}

#endif

// How much of the usable memory holds the byte of its first one, in whole frames.
static void print_junk(void) {
    const struct limine_memmap_response *response = (void *)memmap.response;
    struct limine_memmap_entry **entries = (void *)response->entries;
    for (uint64_t i = 0; i < response->entry_count; ++i) {
        if (entries[i]->type == LIMINE_MEMMAP_USABLE) {
            const uint64_t *word = (void *)(hhdm_offset + entries[i]->base);
            uint64_t n = entries[i]->length / 8, same = 0;
            while (same < n && word[same] == word[0]) {
                ++same;
            }
            text("junk");
            hex(word[0]);
            hex(same == n);
            put('\n');
        }
    }
}

__attribute__((used, noreturn)) static void probe_main(void) {
    print_state();
    print_responses();
    if (hhdm_request.response) {
        hhdm_offset = ((struct limine_hhdm_response *)hhdm_request.response)->offset;
        fact("hhdm", hhdm_offset);
        print_image();
        if (memmap.response) {
            print_memmap();
            print_hhdm_edges();
#ifdef REVISION
            print_acpi();
#endif
#ifdef JUNK
            print_junk();
#else
            (void)print_junk;
#endif
        }
    }
    text("done\n");
    outb(0xf4, 0);
    for (;;) {
        __asm__ volatile ("hlt");
    }
}
