// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a processor exception becomes.  A bad data access by kernel code or by
// compiled Python raises kernel.AccessFault in the script that made it, and a
// stack that has run over its end raises RuntimeError; every other exception is
// the kernel's own and ends it with a report.

#include "py/gc.h"
#include "py/nlr.h"
#include "py/runtime.h"

#include "cpu.h"
#include "critical.h"
#include "fault.h"
#include "modkernel.h"
#include "power.h"
#include "pytrace.h"

// Page fault error code (Intel SDM volume 3, 5.7).
#define PF_PROTECTION  (1 << 0)
#define PF_WRITE       (1 << 1)
#define PF_RESERVED    (1 << 3)
#define PF_INSTRUCTION (1 << 4)

// Where the exception for an overflown stack is made.
#define OVERFLOW_STACK_SIZE 8192

static uint8_t overflow_stack[OVERFLOW_STACK_SIZE] __attribute__((aligned(16)));

static const char *const vector_names[FAULT_VECTORS] = {
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

static bool within(uintptr_t address, const char *start, const char *end) {
    return address >= (uintptr_t)start && address < (uintptr_t)end;
}

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

// A Python exception can be raised where C could have raised one: below an
// nlr_push, on the kernel's stack, in code that is not the collector's.
static bool can_raise(const fault_frame_t *frame) {
    return (within(frame->rip, kernel_text_start, kernel_text_end)
        || within(frame->rip, kernel_native_start, kernel_native_end))
        && within(frame->rsp, kernel_stack_guard, kernel_stack_top)
        && MP_STATE_THREAD(nlr_top) != NULL
        && !(MP_STATE_THREAD(gc_lock_depth) & GC_COLLECT_FLAG);
}

// Makes the interrupted code continue as if it had called the function.
static void redirect(fault_frame_t *frame, void *function, uintptr_t rsp) {
    frame->rip = (uintptr_t)function;
    // A function finds the stack 8 off a multiple of 16, as after a call.
    frame->rsp = (rsp & ~UINT64_C(15)) - 8;
    frame->rflags &= ~RFLAGS_DF;
}

static void raise_access_fault(fault_frame_t *frame, uintptr_t address, const char *access, const char *cause) {
    frame->rdi = address;
    frame->rsi = (uintptr_t)access;
    frame->rdx = (uintptr_t)cause;
    redirect(frame, kernel_raise_access_fault, frame->rsp);
}

// Runs on overflow_stack, which the collector must not take for the kernel's:
// while it is locked the exception is made in its emergency buffer.
NORETURN static void overflow_raise(void) {
    critical_abandon();
    gc_lock();
    mp_obj_t exception = mp_obj_new_exception_arg1(&mp_type_RuntimeError, MP_OBJ_NEW_QSTR(MP_QSTR_maximum_space_recursion_space_depth_space_exceeded));
    gc_unlock();
    nlr_raise(exception);
}

static bool is_stack_overflow(const fault_frame_t *frame) {
    return (frame->vector == VECTOR_PAGE_FAULT || frame->vector == VECTOR_DOUBLE_FAULT)
        && within(cpu_read_cr2(), kernel_stack_guard, kernel_stack_bottom);
}

static bool raise_in_python(fault_frame_t *frame) {
    if (!can_raise(frame)) {
        return false;
    }
    uintptr_t address;
    switch (frame->vector) {
        case VECTOR_PAGE_FAULT:
            if (is_stack_overflow(frame)) {
                redirect(frame, overflow_raise, (uintptr_t)overflow_stack + OVERFLOW_STACK_SIZE);
            } else {
                raise_access_fault(frame, cpu_read_cr2(), page_fault_access(frame->error_code), page_fault_cause(frame->error_code));
            }
            return true;
        case VECTOR_GENERAL_PROTECTION:
        case VECTOR_STACK_FAULT:
            if (decode_memory_operand(frame, &address)) {
                raise_access_fault(frame, address, "access", "address not canonical");
                return true;
            }
            return false;
        default:
            return false;
    }
}

static void report(const fault_frame_t *f) {
    const char *name = f->vector < FAULT_VECTORS ? vector_names[f->vector] : NULL;
    uintptr_t cr2 = cpu_read_cr2();
    power_printf("\nfault: vector %u (%s), error code 0x%lx\n",
        (unsigned int)f->vector, name == NULL ? "reserved" : name, f->error_code);
    if (f->vector == VECTOR_PAGE_FAULT) {
        power_printf("%s of v0x%016lx: %s\n", page_fault_access(f->error_code), cr2, page_fault_cause(f->error_code));
    }
    if (is_stack_overflow(f)) {
        power_printf("kernel stack overflow: v0x%016lx is below the stack\n", cr2);
    }
    power_printf("RIP=%016lx CS=%04lx RFLAGS=%08lx RSP=%016lx SS=%04lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
    power_printf("RAX=%016lx RBX=%016lx RCX=%016lx RDX=%016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    power_printf("RSI=%016lx RDI=%016lx RBP=%016lx\n", f->rsi, f->rdi, f->rbp);
    power_printf("R8 =%016lx R9 =%016lx R10=%016lx R11=%016lx\n", f->r8, f->r9, f->r10, f->r11);
    power_printf("R12=%016lx R13=%016lx R14=%016lx R15=%016lx\n", f->r12, f->r13, f->r14, f->r15);
    power_printf("CR0=%08lx CR2=%016lx CR3=%016lx CR4=%08lx\n", cpu_read_cr0(), cr2, cpu_read_cr3(), cpu_read_cr4());
    pytrace_print();
}

void fault_handler(fault_frame_t *frame) {
    static bool reporting;
    if (reporting) {
        power_exit(EXIT_FAULT);
    }
    if (!raise_in_python(frame)) {
        reporting = true;
        report(frame);
        power_exit(EXIT_FAULT);
    }
}
