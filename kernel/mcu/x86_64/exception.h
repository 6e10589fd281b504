// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The processor's exceptions: their numbers, and the registers that isr.S saves.
#ifndef KERNEL_MCU_X86_64_EXCEPTION_H
#define KERNEL_MCU_X86_64_EXCEPTION_H

// Vectors 0 to 31 belong to the processor (Intel SDM volume 3, table 7-1).
#define EXCEPTION_VECTORS 32

#define VECTOR_DIVIDE_ERROR        0
#define VECTOR_NMI                 2
#define VECTOR_DOUBLE_FAULT        8
#define VECTOR_STACK_FAULT         12
#define VECTOR_GENERAL_PROTECTION  13
#define VECTOR_PAGE_FAULT          14
#define VECTOR_MACHINE_CHECK       18

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

// The interrupted registers, lowest address first, as isr.S and the processor push them.
struct _fault_frame_t {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

// Called by isr.S; the frame is loaded into the processor when it returns.
void exception_handler(fault_frame_t *frame);

// Computes the address of the memory operand of the instruction at frame->rip.
// False when the instruction has none or is not one that this small decoder knows.
bool decode_memory_operand(const fault_frame_t *frame, uintptr_t *address_virt);

#endif // __ASSEMBLER__

#endif // KERNEL_MCU_X86_64_EXCEPTION_H
