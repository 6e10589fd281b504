// SPDX-License-Identifier: MIT OR Apache-2.0
//
// ACPI tables, as far as a loader needs them: the root pointer, finding one table by name, and the extent of all of
// them for the memory map.  ACPI Specification 6.5, sections 5.2.5 to 5.2.10.

#include "direct.h"

// Where a BIOS leaves the root pointer (section 5.2.5.1), on 16-byte boundaries.
#define EBDA_SEGMENT_PHYS 0x40e
#define EBDA_SCAN_SIZE (1 * KIB)
#define BIOS_SCAN_START 0xe0000
#define BIOS_SCAN_END 0x100000
#define SCAN_STEP 16

struct rsdp {
    char signature[8]; // "RSD PTR "
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt_phys;
    uint32_t length; // from here on in revision 2 only
    uint64_t xsdt_phys;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

#define RSDP_V1_SIZE offsetof(struct rsdp, length)

// Fixed ACPI Description Table, section 5.2.9: the tables that only it points to.
#define FADT_FIRMWARE_CTRL 36
#define FADT_DSDT 40
#define FADT_X_FIRMWARE_CTRL 132
#define FADT_X_DSDT 140

static const struct rsdp *rsdp;

bool checksum_is_zero(const void *start, size_t size) {
    uint8_t sum = 0;
    for (const uint8_t *p = start; size; --size) {
        sum = (uint8_t)(sum + *p++);
    }
    return sum == 0;
}

static const struct rsdp *scan(uint64_t start, uint64_t end) {
    for (uint64_t at = start; at + sizeof(struct rsdp) <= end; at += SCAN_STEP) {
        const struct rsdp *candidate = (const void *)at;
        if (!memcmp(candidate->signature, "RSD PTR ", 8) && checksum_is_zero(candidate, RSDP_V1_SIZE)) {
            return candidate;
        }
    }
    return NULL;
}

uint64_t acpi_rsdp_phys(void) {
    if (!rsdp) {
        uint64_t ebda = (uint64_t)*(const volatile uint16_t *)EBDA_SEGMENT_PHYS << 4;
        rsdp = scan(ebda, ebda + EBDA_SCAN_SIZE);
    }
    if (!rsdp) {
        rsdp = scan(BIOS_SCAN_START, BIOS_SCAN_END);
    }
    return (uint64_t)rsdp;
}

// The table at this address, or NULL where the early page tables do not map it.
static const struct acpi_header *table_at(uint64_t phys) {
    return phys && phys < IDENTITY_END - PAGE_SIZE ? (const void *)phys : NULL;
}

// Calls visit() with each table that the XSDT or, before ACPI 2.0, the RSDT lists, and with that list itself.
typedef void (*visitor)(const struct acpi_header *table, void *context);

static void visit_tables(visitor visit, void *context) {
    if (!acpi_rsdp_phys()) {
        return;
    }
    bool wide = rsdp->revision >= 2 && table_at(rsdp->xsdt_phys);
    const struct acpi_header *list = table_at(wide ? rsdp->xsdt_phys : rsdp->rsdt_phys);
    if (!list) {
        return;
    }
    visit(list, context);
    size_t size = wide ? sizeof(uint64_t) : sizeof(uint32_t);
    for (size_t at = sizeof(*list); at + size <= list->length; at += size) {
        const void *slot = (const uint8_t *)list + at;
        const struct acpi_header *table = table_at(wide ? *(const uint64_t *)slot : *(const uint32_t *)slot);
        if (table) {
            visit(table, context);
        }
    }
}

struct wanted {
    const char *signature;
    const struct acpi_header *found;
};

static void match(const struct acpi_header *table, void *context) {
    struct wanted *wanted = context;
    if (!memcmp(table->signature, wanted->signature, sizeof(table->signature))) {
        wanted->found = table;
    }
}

const struct acpi_header *acpi_find(const char *signature) {
    struct wanted wanted = { signature, NULL };
    visit_tables(match, &wanted);
    return wanted.found;
}

void mark_table(struct regions *map, uint64_t base_phys, uint64_t size) {
    const struct limine_memmap_entry *entry = regions_at(map, base_phys);
    if (entry && (entry->type == LIMINE_MEMMAP_ACPI_RECLAIMABLE || entry->type == LIMINE_MEMMAP_ACPI_NVS)) {
        return;
    }
    regions_mark(map, ALIGN_DOWN(base_phys, PAGE_SIZE), ALIGN_UP(base_phys + size, PAGE_SIZE),
        LIMINE_MEMMAP_RESERVED_MAPPED);
}

static void mark_fadt_pointer(struct regions *map, const struct acpi_header *fadt, size_t offset, bool wide) {
    if (offset + (wide ? sizeof(uint64_t) : sizeof(uint32_t)) > fadt->length) {
        return;
    }
    const void *field = (const uint8_t *)fadt + offset;
    const struct acpi_header *table = table_at(wide ? *(const uint64_t *)field : *(const uint32_t *)field);
    if (table) {
        mark_table(map, (uint64_t)table, table->length);
    }
}

static void mark(const struct acpi_header *table, void *context) {
    struct regions *map = context;
    mark_table(map, (uint64_t)table, table->length);
    if (!memcmp(table->signature, "FACP", sizeof(table->signature))) {
        mark_fadt_pointer(map, table, FADT_FIRMWARE_CTRL, false);
        mark_fadt_pointer(map, table, FADT_DSDT, false);
        mark_fadt_pointer(map, table, FADT_X_FIRMWARE_CTRL, true);
        mark_fadt_pointer(map, table, FADT_X_DSDT, true);
    }
}

void acpi_mark_tables(struct regions *map) {
    if (!acpi_rsdp_phys()) {
        return;
    }
    mark_table(map, (uint64_t)rsdp, sizeof(*rsdp));
    if (rsdp->revision >= 2 && table_at(rsdp->rsdt_phys)) {
        mark_table(map, rsdp->rsdt_phys, table_at(rsdp->rsdt_phys)->length);
    }
    visit_tables(mark, map);
}
