// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The interfaces of the stand-in loader's files.
//
// Everything runs on one processor with interrupts off, in memory that start.S maps identically (the first 4 GiB).  An
// address named _phys is a physical one; _virt is one of the kernel's virtual addresses.  Pointers of C are identity
// addresses below 4 GiB, or come from phys_to_pointer().  Errors end in die(); no function returns one unless its
// comment says so.

#ifndef PFM_DIRECT_DIRECT_H
#define PFM_DIRECT_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../limine.h"
#include "elf.h"
#include "multiboot.h"
#include "string.h"

#define LOADER_NAME "pfm-direct"
#define LOADER_VERSION "0.1.0"

// Base revisions that are implemented.  Revision 0 (identity mapping, a section of
// request pointers) is refused, as the protocol asks of a loader that has dropped it.
#define REVISION_OLDEST 1
#define REVISION_NEWEST 6
// From this revision on a loader writes the revision in force to the tag's second word.
#define REVISION_TELLS 3

#define PAGE_SIZE 0x1000ull
#define ALIGN_DOWN(value, align) ((value) & ~((align) - 1))
#define ALIGN_UP(value, align) ALIGN_DOWN((value) + (align) - 1, align)

#define KIB 0x400ull
#define MIB 0x100000ull
#define GIB 0x40000000ull

// Slots 256 to 510 of the top-level page table; slot 511 holds the kernel.
#define HHDM_OFFSET 0xffff800000000000ull
#define HHDM_SIZE (255ull << 39)
#define KERNEL_LOWEST_VIRT 0xffffffff80000000ull // "Memory Layout at Entry"

#define IDENTITY_END (4 * GIB)

// ---- serial.c: the one line a failed boot prints, and its exit code.
// Formats: %s string, %u decimal and %x hexadecimal uint64_t.
_Noreturn void die(const char *format, ...);

// ---- regions.c: sorted lists of ranges of physical memory, each with a Limine type.
#define SERVED_ENTRIES_MAX 1024 // as many as the kernel accepts
#define REGIONS_MAX (2 * SERVED_ENTRIES_MAX + 64)

struct regions {
    size_t count;
    struct limine_memmap_entry entry[REGIONS_MAX];
};

// Gives [base, end) the type, whatever it had before; keeps the list sorted, free of overlap and merged.
void regions_mark(struct regions *list, uint64_t base, uint64_t end, uint64_t type);
// Rounds usable ranges inward to whole frames and drops what is left empty.
void regions_trim_usable(struct regions *list);
// The entry that holds the address, or NULL.
const struct limine_memmap_entry *regions_at(const struct regions *list, uint64_t address);
bool regions_are_usable(const struct regions *list, uint64_t base, uint64_t size);
// Finds page-aligned usable room in [low, high), the lowest or the highest there is; false when there is none.
bool regions_find_lowest(const struct regions *list, uint64_t size, uint64_t low, uint64_t high, uint64_t *base);
bool regions_find_highest(const struct regions *list, uint64_t size, uint64_t low, uint64_t high, uint64_t *base);

// ---- framebuffer.c: graphics adapters.
#define FRAMEBUFFERS_MAX 4

struct framebuffers {
    size_t count;
    uint64_t base_phys[FRAMEBUFFERS_MAX];
};

// Sets each adapter to the mode wanted, unless that has no width, and marks its memory in the map.
const struct framebuffers *framebuffers_open(const struct limine_framebuffer *wanted, struct regions *map);

// ---- options.c: the words after -append.
enum placement_kind { PLACE_DEFAULT, PLACE_AT, PLACE_TOP };

struct placement {
    const char *option; // its name, for messages
    enum placement_kind kind;
    uint64_t base_phys;
};

struct options {
    uint64_t revision_cap;
    bool ignore_tag;
    bool junk;
    uint8_t junk_byte;
    struct limine_framebuffer framebuffer; // the mode; without a width there is none
    struct limine_framebuffer garbled, garble_mask; // what the response has instead, where the mask has ones
    bool shuffle;
    uint64_t shuffle_seed;
    bool replace_map;
    struct placement kernel, modules, state;
    uint32_t omitted; // one bit for each row of features[]
    struct regions *map;   // memmap=, then add=; as given, neither sorted nor merged
    struct regions *marks; // mark=; as given
};

void options_parse(struct options *options, char *line);

// ---- elf.c: the kernel's file and the image made of it.
struct image {
    const uint8_t *file;
    uint64_t file_size;
    const struct elf_header *header;
    uint64_t base_virt, size; // whole pages
    uint64_t base_phys;
};

void image_check(struct image *image, const void *file, uint64_t size);
const struct elf_segment *image_segment(const struct image *image, size_t index);
void image_load(const struct image *image);
void image_map(const struct image *image);
// A pointer through which the loaded image can be written at this virtual address.
void *image_pointer(const struct image *image, uint64_t virt);

// ---- requests.c: what the kernel asks for.
#define REQUESTS_MAX 64

struct requests {
    uint64_t tag_virt; // 0 without a base revision tag
    uint64_t wanted;   // the tag's third word
    uint64_t revision; // in force
    size_t count;
    uint64_t request_virt[REQUESTS_MAX];
    const struct limine_request *request[REQUESTS_MAX]; // in the file
};

void requests_find(struct requests *requests, const struct image *image, const struct options *options);
void requests_answer_tag(const struct requests *requests, const struct image *image, const struct options *options);

// ---- memmap.c: the machine's memory, and the map that is served to the kernel.
void memmap_read(struct regions *map, const struct multiboot_info *info, uint64_t revision);
uint64_t memmap_place(struct regions *map, const struct placement *where, uint64_t size, uint64_t type);
// The served map before the loader's state is final: a copy of the machine's with the options applied.
void memmap_serve(struct regions *served, const struct regions *map, const struct options *options);
// The ranges that the HHDM covers: those of either map whose type the revision maps.
void memmap_coverage(struct regions *coverage, const struct regions *map, const struct regions *served,
    uint64_t revision);

// ---- state.c: memory that stays in use after the loader has ended: bootloader-reclaimable for the kernel.
void state_open(const struct regions *map, const struct placement *where);
// Zeroed whole pages, or 16-byte aligned objects.
void *state_pages(uint64_t size);
void *state_object(uint64_t size);
uint64_t state_string(const char *s); // returns its HHDM address
// Ends allocation and marks what was allocated.
void state_close(struct regions *map);
#define STATE_CLOSE_ENTRIES 2 // that closing can add to a map: it splits one entry into three

// ---- paging.c
enum { MAP_WRITE = 1, MAP_EXECUTE = 2, MAP_WRITE_COMBINE = 4 };

void paging_init(void);
void paging_map(uint64_t virt, uint64_t phys, uint64_t size, unsigned int rights);
void paging_map_hhdm(const struct regions *coverage);
// Switches to the new tables; the identity mapping of start.S stays until handover().
void paging_enter(void);
uint64_t paging_root_phys(void);
uint64_t physical_address_limit(void);

static inline uint64_t hhdm(const void *identity_pointer) {
    return HHDM_OFFSET + (uint64_t)identity_pointer;
}

// Needs paging_enter() first.
static inline void *phys_to_pointer(uint64_t phys) {
    return (void *)(HHDM_OFFSET + phys);
}

// ---- acpi.c, smbios.c: the firmware's tables.
struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

// Physical address of the root pointer, 0 without ACPI.
uint64_t acpi_rsdp_phys(void);
const struct acpi_header *acpi_find(const char *signature);
void acpi_mark_tables(struct regions *map);
void smbios_mark_tables(struct regions *map);
// Marks one table as reserved-mapped unless the firmware's own type for it is mapped already.
void mark_table(struct regions *map, uint64_t base_phys, uint64_t size);
bool checksum_is_zero(const void *start, size_t size);

// ---- interrupts.c
void interrupts_mask(uint64_t revision);

// ---- clock.c
int64_t clock_unix_time(void);

// ---- modules.c
#define MODULES_MAX 32

struct module {
    const uint8_t *file; // where QEMU put it
    uint64_t size;
    uint64_t phys;      // where the kernel finds it
    const char *string; // its path, then its arguments behind a space
};

struct modules {
    size_t count; // the kernel's file is the first
    struct module module[MODULES_MAX];
};

void modules_read(struct modules *modules, const struct multiboot_info *info);
const char *module_arguments(const struct module *module);
uint64_t module_path(const struct module *module); // its HHDM address
void modules_place(struct modules *modules, struct regions *map, const struct placement *where);
void modules_move(const struct modules *modules);

// ---- descriptors.c: returns the HHDM address of the tables for handover().
uint64_t descriptors_write(void);

// ---- responses.c
struct boot {
    struct options options;
    struct modules modules;
    struct image image;
    struct requests requests;
    const struct regions *served;
    const struct framebuffers *framebuffers;
    uint64_t cmdline_virt;
    uint64_t stack_size;
    uint64_t entry_virt; // 0 unless the kernel asked for another than its file's
    struct limine_memmap_response *memmap_response;
    struct limine_memmap_entry *memmap_entries;
    uint64_t *memmap_pointers;
    uint64_t memmap_room;
};

// The row of features[] with this name, or -1.
int feature_index(const char *name);
void responses_write(struct boot *boot);
void responses_write_memmap(struct boot *boot);

// ---- handover.S
struct handover {
    uint64_t root_phys;
    uint64_t stack_virt; // points at the return address of zero
    uint64_t entry_virt;
    uint64_t efer;
    uint64_t descriptors_virt;
};

_Static_assert(offsetof(struct handover, root_phys) == 0 && offsetof(struct handover, stack_virt) == 8
    && offsetof(struct handover, entry_virt) == 16 && offsetof(struct handover, efer) == 24
    && offsetof(struct handover, descriptors_virt) == 32, "handover.S");

_Noreturn void handover(const struct handover *how);

// ---- start.S, direct.ld
extern uint64_t early_pml4[];
extern char image_start[], image_end[];

#endif // PFM_DIRECT_DIRECT_H
