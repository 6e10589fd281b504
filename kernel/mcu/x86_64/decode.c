// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The address of an instruction's memory operand.  A general protection fault,
// unlike a page fault, does not report the address that was refused, so it is
// computed from the instruction.  Encoding: Intel SDM volume 2, chapter 2.

#include "cpu.h"
#include "exception.h"

#define REX_MASK 0xf0
#define REX      0x40
#define REX_B    0x01
#define REX_X    0x02

// Longest instruction (SDM volume 2, 2.3.11).
#define INSTRUCTION_MAX 15

static uint64_t register_value(const fault_frame_t *f, unsigned int number) {
    const uint64_t values[16] = {
        f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi,
        f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15,
    };
    return values[number];
}

static int32_t read_int32(const uint8_t *p) {
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static bool is_legacy_prefix(uint8_t byte) {
    switch (byte) {
        case 0x66: // operand size
        case 0xf0: // lock
        case 0xf2: // repne
        case 0xf3: // rep
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e: // segments whose base is zero in long mode
            return true;
        default:
            return false;
    }
}

static bool is_canonical(uint64_t address) {
    // With 4-level paging bits 63 to 47 are all equal (SDM volume 1, 3.3.7.1).
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

// The string instructions use RSI, RDI or both, without a ModRM byte.
static bool string_operand(const fault_frame_t *f, uint8_t opcode, uintptr_t *address) {
    switch (opcode) {
        case 0xa4: // movsb
        case 0xa5: // movs
        case 0xa6: // cmpsb
        case 0xa7: // cmps
            *address = is_canonical(f->rsi) ? f->rdi : f->rsi;
            return true;
        case 0xaa: // stosb
        case 0xab: // stos
        case 0xae: // scasb
        case 0xaf: // scas
            *address = f->rdi;
            return true;
        case 0xac: // lodsb
        case 0xad: // lods
            *address = f->rsi;
            return true;
        default:
            return false;
    }
}

bool decode_memory_operand(const fault_frame_t *frame, uintptr_t *address_virt) {
    const uint8_t *p = (const uint8_t *)frame->rip;
    const uint8_t *end = p + INSTRUCTION_MAX;
    while (p < end && is_legacy_prefix(*p)) {
        ++p;
    }
    uint8_t rex = 0;
    if ((*p & REX_MASK) == REX) {
        rex = *p++;
    }
    uint8_t opcode = *p++;
    if (opcode == 0x0f) {
        opcode = *p++;
        // The three-byte maps put one more opcode byte before ModRM.
        if (opcode == 0x38 || opcode == 0x3a) {
            ++p;
        }
    } else if (string_operand(frame, opcode, address_virt)) {
        return true;
    }

    uint8_t modrm = *p++;
    unsigned int mod = modrm >> 6;
    unsigned int rm = modrm & 7;
    if (mod == 3) {
        return false;
    }
    uint64_t address = 0;
    bool rip_relative = false;
    if (rm == 4) {
        uint8_t sib = *p++;
        unsigned int index = (sib >> 3 & 7) | (rex & REX_X ? 8 : 0);
        unsigned int base = (sib & 7) | (rex & REX_B ? 8 : 0);
        if (index != 4) {
            address += register_value(frame, index) << (sib >> 6);
        }
        if ((base & 7) == 5 && mod == 0) {
            address += (uint64_t)(int64_t)read_int32(p);
        } else {
            address += register_value(frame, base);
        }
    } else if (rm == 5 && mod == 0) {
        rip_relative = true;
    } else {
        address = register_value(frame, rm | (rex & REX_B ? 8 : 0));
    }
    if (mod == 1) {
        address += (uint64_t)(int64_t)(int8_t)*p;
    } else if (mod == 2) {
        address += (uint64_t)(int64_t)read_int32(p);
    }
    *address_virt = address;
    // An address relative to RIP is near the kernel and never the one refused.
    return !rip_relative && !is_canonical(address);
}
