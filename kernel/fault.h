// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Processor exceptions: how a processor's folder describes one, and what the
// kernel makes of it.
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "py/obj.h"

// The interrupted registers; each processor has its own layout.
typedef struct _fault_frame_t fault_frame_t;

typedef struct _fault_t {
    // The processor's own number, name and code of the exception.
    unsigned int vector;
    const char *name;
    uintptr_t error_code;
    // Where the interrupted code and its stack were.
    uintptr_t pc;
    uintptr_t sp;
    // The refused memory access and why it was refused; both NULL when the
    // exception is of another kind.
    const char *access;
    const char *cause;
    // A division by zero, or with a quotient that no register holds.
    bool division;
    // The address of the memory access that led to the exception; 0 when none did.
    uintptr_t address_virt;
} fault_t;

extern const mp_obj_type_t mp_type_AccessFault;

// The processor's folder calls this for each exception.  Either makes the
// interrupted code raise a Python exception, and returns, or reports and ends
// the machine with EXIT_FAULT.
void fault_handler(const fault_t *fault, fault_frame_t *frame);

// In the processor's folder: makes the interrupted code continue as if it had
// called function(a, b, c) with its stack at sp.  The function does not return.
void fault_continue_in(fault_frame_t *frame, uintptr_t sp, void *function, uintptr_t a, uintptr_t b, uintptr_t c);

// In the processor's folder: prints the interrupted registers and those of the system.
void fault_print_registers(const mp_print_t *print, const fault_frame_t *frame);

#endif // KERNEL_FAULT_H
