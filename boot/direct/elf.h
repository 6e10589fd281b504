// SPDX-License-Identifier: MIT OR Apache-2.0
//
// ELF-64 Object File Format, version 1.5: the file header and the program headers.

#ifndef PFM_DIRECT_ELF_H
#define PFM_DIRECT_ELF_H

#include <stdint.h>

enum {
    ELF_CLASS_64 = 2,
    ELF_DATA_LITTLE = 1,
    ELF_TYPE_EXEC = 2,
    ELF_MACHINE_X86_64 = 62,
    ELF_PT_LOAD = 1,
    ELF_PF_X = 1,
    ELF_PF_W = 2,
};

struct elf_header {
    uint8_t magic[4];
    uint8_t class, data, version, abi, padding[8];
    uint16_t type, machine;
    uint32_t version2;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, virt, phys, file_size, memory_size, align;
};

#endif // PFM_DIRECT_ELF_H
