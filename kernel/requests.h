// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The kernel's requests to the loader, and the responses.
#ifndef KERNEL_REQUESTS_H
#define KERNEL_REQUESTS_H

typedef enum {
    REQUEST_BOOTLOADER_INFO,
    REQUEST_FIRMWARE_TYPE,
    REQUEST_HHDM,
    REQUEST_MEMMAP,
    REQUEST_EXECUTABLE_ADDRESS,
    REQUEST_EXECUTABLE_FILE,
    REQUEST_EXECUTABLE_CMDLINE,
    REQUEST_STACK_SIZE,
    REQUEST_RSDP,
    REQUEST_FRAMEBUFFER,
    REQUEST_DATE_AT_BOOT,
    REQUEST_MODULE,
    REQUEST_COUNT,
} request_t;

// Panics when a response is missing that the kernel needs.
void requests_check(void);

// The response, or NULL when the loader gave none.
const void *requests_response(request_t request);

// Makes requests_response() return a copy of the response, or NULL.
void requests_move_response(request_t request, const void *response);

// The protocol's name of the request, as Python gives it to limine.response().
const char *requests_name(request_t request);

// The base revision in force.
unsigned int requests_base_revision(void);

#endif // KERNEL_REQUESTS_H
