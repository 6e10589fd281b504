// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The kernel's page tables: four levels, the largest pages that fit.  Intel SDM volume 3A, section 4.5.

#include "cpu.h"
#include "direct.h"

#define ENTRIES 512
#define PRESENT (1ull << 0)
#define WRITABLE (1ull << 1)
#define LARGE (1ull << 7) // in an entry of level 2 or 3: it maps a page itself
#define WRITE_THROUGH (1ull << 3)
#define PAT (1ull << 7) // in an entry of level 1
#define LARGE_PAT (1ull << 12)
#define NO_EXECUTE (1ull << 63)
#define ADDRESS_MASK 0x000ffffffffff000ull

static uint64_t *root;
static unsigned int largest_level; // of an entry that may map a page: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB
static bool has_no_execute, has_pat;
static uint64_t limit_phys;

void paging_init(void) {
    struct cpuid features = cpuid(0x80000001);
    largest_level = features.edx & CPUID_80000001_EDX_GIB_PAGES ? 3 : 2;
    has_pat = cpuid(1).edx & CPUID_1_EDX_PAT;
    has_no_execute = features.edx & CPUID_80000001_EDX_NX;
    uint64_t bits = cpuid(0x80000000).eax >= 0x80000008 ? cpuid(0x80000008).eax & CPUID_80000008_EAX_PHYSICAL_BITS : 36;
    limit_phys = 1ull << bits < HHDM_SIZE ? 1ull << bits : HHDM_SIZE;
    root = state_pages(PAGE_SIZE);
}

uint64_t physical_address_limit(void) {
    return limit_phys;
}

uint64_t paging_root_phys(void) {
    return (uint64_t)root;
}

static unsigned int shift_of(unsigned int level) {
    return 12 + 9 * (level - 1);
}

static uint64_t *entry_of(uint64_t virt, unsigned int level) {
    uint64_t *table = root;
    for (unsigned int at = 4; at > level; --at) {
        uint64_t *entry = &table[virt >> shift_of(at) & (ENTRIES - 1)];
        if (!(*entry & PRESENT)) {
            *entry = (uint64_t)state_pages(PAGE_SIZE) | PRESENT | WRITABLE;
        }
        table = (uint64_t *)(*entry & ADDRESS_MASK);
    }
    return &table[virt >> shift_of(level) & (ENTRIES - 1)];
}

void paging_map(uint64_t virt, uint64_t phys, uint64_t size, unsigned int rights) {
    uint64_t flags = PRESENT | (rights & MAP_WRITE ? WRITABLE : 0);
    if (!(rights & MAP_EXECUTE) && has_no_execute) {
        flags |= NO_EXECUTE;
    }
    while (size) {
        unsigned int level = largest_level;
        while ((virt | phys) & ((1ull << shift_of(level)) - 1) || size < 1ull << shift_of(level)) {
            --level;
        }
        uint64_t page = 1ull << shift_of(level);
        uint64_t type = 0;
        if (rights & MAP_WRITE_COMBINE) {
            // The PAT's entry 5, see main.c.
            type = WRITE_THROUGH | (level > 1 ? LARGE_PAT : PAT);
        }
        *entry_of(virt, level) = phys | flags | type | (level > 1 ? LARGE : 0);
        virt += page;
        phys += page;
        size -= page;
    }
}

void paging_map_hhdm(const struct regions *coverage) {
    for (size_t i = 0; i < coverage->count; ++i) {
        const struct limine_memmap_entry *entry = &coverage->entry[i];
        unsigned int type = entry->type == LIMINE_MEMMAP_FRAMEBUFFER && has_pat ? MAP_WRITE_COMBINE : 0;
        paging_map(HHDM_OFFSET + entry->base, entry->base, entry->length, MAP_WRITE | MAP_EXECUTE | type);
    }
}

void paging_enter(void) {
    if (has_no_execute) {
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    }
    root[0] = early_pml4[0];
    write_cr3(paging_root_phys());
}
