// SPDX-License-Identifier: MIT OR Apache-2.0
//
// SMBIOS tables.  From base revision 5 on the memory map shows them as reserved-mapped.  SMBIOS 3.6.0, section 5.2.

#include "direct.h"

#define SCAN_START 0xf0000
#define SCAN_END 0x100000
#define SCAN_STEP 16

struct entry_point_32 {
    char anchor[4]; // "_SM_"
    uint8_t checksum, length;
    uint8_t skipped[16];
    uint16_t table_length;
    uint32_t table_phys;
} __attribute__((packed));

struct entry_point_64 {
    char anchor[5]; // "_SM3_"
    uint8_t checksum, length;
    uint8_t skipped[5];
    uint32_t table_length_max;
    uint64_t table_phys;
} __attribute__((packed));

_Static_assert(offsetof(struct entry_point_32, table_length) == 0x16, "SMBIOS 2.1 entry point");
_Static_assert(offsetof(struct entry_point_64, table_phys) == 0x10, "SMBIOS 3.0 entry point");

void smbios_mark_tables(struct regions *map) {
    for (uint64_t at = SCAN_START; at < SCAN_END; at += SCAN_STEP) {
        const struct entry_point_32 *old = (const void *)at;
        const struct entry_point_64 *new = (const void *)at;
        if (string_after(old->anchor, "_SM_") && checksum_is_zero(old, old->length)) {
            mark_table(map, at, old->length);
            mark_table(map, old->table_phys, old->table_length);
        } else if (string_after(new->anchor, "_SM3_") && checksum_is_zero(new, new->length)) {
            mark_table(map, at, new->length);
            mark_table(map, new->table_phys, new->table_length_max);
        }
    }
}
