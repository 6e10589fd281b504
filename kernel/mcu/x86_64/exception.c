// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Describes an exception in the terms of fault.h.

#include <stddef.h>

#include "cpu.h"
#include "exception.h"
#include "image.h"

// Page fault error code (Intel SDM volume 3, 5.7).
#define PF_PROTECTION  (1 << 0)
#define PF_WRITE       (1 << 1)
#define PF_RESERVED    (1 << 3)
#define PF_INSTRUCTION (1 << 4)

static const char *const vector_names[EXCEPTION_VECTORS] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "x87 floating point",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating point",
    [20] = "virtualization",
    [21] = "control protection",
    [28] = "hypervisor injection",
    [29] = "VMM communication",
    [30] = "security",
};

static const char *page_fault_access(uint64_t error_code) {
    if (error_code & PF_INSTRUCTION) {
        return "execution";
    }
    return error_code & PF_WRITE ? "write" : "read";
}

static const char *page_fault_cause(uint64_t error_code) {
    if (error_code & PF_RESERVED) {
        return "reserved bit set in a page table";
    }
    if (!(error_code & PF_PROTECTION)) {
        return "page not mapped";
    }
    return error_code & PF_INSTRUCTION ? "page not executable" : "page not writable";
}

void exception_handler(fault_frame_t *frame) {
    const char *name = frame->vector < EXCEPTION_VECTORS ? vector_names[frame->vector] : NULL;
    fault_t fault = {
        .vector = (unsigned int)frame->vector,
        .name = name == NULL ? "reserved" : name,
        .error_code = frame->error_code,
        .pc = frame->rip,
        .sp = frame->rsp,
    };
    switch (frame->vector) {
        case VECTOR_DIVIDE_ERROR:
            fault.division = true;
            break;
        case VECTOR_PAGE_FAULT:
            fault.access = page_fault_access(frame->error_code);
            fault.cause = page_fault_cause(frame->error_code);
            fault.address_virt = cpu_read_cr2();
            break;
        case VECTOR_DOUBLE_FAULT:
            fault.address_virt = cpu_read_cr2();
            break;
        case VECTOR_GENERAL_PROTECTION:
        case VECTOR_STACK_FAULT:
            if (image_is_code(frame->rip) && decode_memory_operand(frame, &fault.address_virt)) {
                fault.access = "access";
                fault.cause = "address not canonical";
            }
            break;
    }
    fault_handler(&fault, frame);
}

void fault_continue_in(fault_frame_t *frame, uintptr_t sp, void *function, uintptr_t a, uintptr_t b, uintptr_t c) {
    frame->rip = (uintptr_t)function;
    // A function finds the stack 8 off a multiple of 16, as after a call.
    frame->rsp = (sp & ~UINT64_C(15)) - 8;
    frame->rflags &= ~RFLAGS_DF;
    frame->rdi = a;
    frame->rsi = b;
    frame->rdx = c;
}

void fault_print_registers(const mp_print_t *print, const fault_frame_t *f) {
    mp_printf(print, "RIP=%016lx CS=%04lx RFLAGS=%08lx RSP=%016lx SS=%04lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
    mp_printf(print, "RAX=%016lx RBX=%016lx RCX=%016lx RDX=%016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    mp_printf(print, "RSI=%016lx RDI=%016lx RBP=%016lx\n", f->rsi, f->rdi, f->rbp);
    mp_printf(print, "R8 =%016lx R9 =%016lx R10=%016lx R11=%016lx\n", f->r8, f->r9, f->r10, f->r11);
    mp_printf(print, "R12=%016lx R13=%016lx R14=%016lx R15=%016lx\n", f->r12, f->r13, f->r14, f->r15);
    mp_printf(print, "CR0=%08lx CR2=%016lx CR3=%016lx CR4=%08lx\n",
        cpu_read_cr0(), cpu_read_cr2(), cpu_read_cr3(), cpu_read_cr4());
}
