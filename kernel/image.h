// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The loaded image: the bounds of its segments, from the linker script.
#ifndef KERNEL_IMAGE_H
#define KERNEL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

extern char kernel_text_start[], kernel_text_end[];
extern char kernel_rodata_start[], kernel_rodata_end[];
extern char kernel_data_start[], kernel_data_end[];
extern char kernel_native_start[], kernel_native_end[];
// Between the guard and the bottom nothing is mapped; the stack grows down from the top.
extern char kernel_stack_guard[], kernel_stack_bottom[], kernel_stack_top[];

static inline bool image_within(uintptr_t address, const char *start, const char *end) {
    return address >= (uintptr_t)start && address < (uintptr_t)end;
}

// Whether the address is in the kernel's code or in code compiled from Python.
static inline bool image_is_code(uintptr_t address) {
    return image_within(address, kernel_text_start, kernel_text_end)
           || image_within(address, kernel_native_start, kernel_native_end);
}

#endif // KERNEL_IMAGE_H
