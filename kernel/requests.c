// SPDX-License-Identifier: MIT OR Apache-2.0
//
// All Limine requests, between the protocol's two markers.  The loader finds
// them in the image by their ids and writes the addresses of its responses into
// them.

#include <stddef.h>

#include "boot/limine.h"
#include "panic.h"
#include "requests.h"

// The newest base revision that the kernel supports; it runs under all from 1 on.
#define BASE_REVISION_WANTED 6
// Loaders older than revision 3 do not report the revision: they leave the tag
// as it is when they do not know the one wanted, and use their newest, which is 2.
#define BASE_REVISION_UNREPORTED 2

// More than the entry code needs; the kernel has its own stack.
#define LOADER_STACK_SIZE 65536

#define IN_SECTION(name) __attribute__((used, section(name), aligned(8)))

IN_SECTION(".limine_requests_start")
static volatile uint64_t start_marker[] = LIMINE_START_MARKER;

IN_SECTION(".limine_requests")
static volatile struct limine_base_revision base_revision = LIMINE_BASE_REVISION_TAG(BASE_REVISION_WANTED);

IN_SECTION(".limine_requests")
static volatile struct limine_stack_size_request stack_size_request = {
    .head = { .id = LIMINE_ID(LIMINE_STACK_SIZE) },
    .stack_size = LOADER_STACK_SIZE,
};

#define DEFINE_REQUEST(name, id_words) \
    IN_SECTION(".limine_requests") \
    static volatile struct limine_request name##_request = { .id = id_words }

DEFINE_REQUEST(bootloader_info, LIMINE_ID(LIMINE_BOOTLOADER_INFO));
DEFINE_REQUEST(firmware_type, LIMINE_ID(LIMINE_FIRMWARE_TYPE));
DEFINE_REQUEST(hhdm, LIMINE_ID(LIMINE_HHDM));
DEFINE_REQUEST(memmap, LIMINE_ID(LIMINE_MEMMAP));
DEFINE_REQUEST(executable_address, LIMINE_ID(LIMINE_EXECUTABLE_ADDRESS));
DEFINE_REQUEST(executable_file, LIMINE_ID(LIMINE_EXECUTABLE_FILE));
DEFINE_REQUEST(executable_cmdline, LIMINE_ID(LIMINE_EXECUTABLE_CMDLINE));
DEFINE_REQUEST(rsdp, LIMINE_ID(LIMINE_RSDP));
DEFINE_REQUEST(framebuffer, LIMINE_ID(LIMINE_FRAMEBUFFER));
DEFINE_REQUEST(date_at_boot, LIMINE_ID(LIMINE_DATE_AT_BOOT));
DEFINE_REQUEST(module, LIMINE_ID(LIMINE_MODULE));

IN_SECTION(".limine_requests_end")
static volatile uint64_t end_marker[] = LIMINE_END_MARKER;

#define TABLE_ENTRY(INDEX, name) [REQUEST_##INDEX] = { #name, &name##_request }

static const struct {
    const char *name;
    volatile struct limine_request *request;
} table[REQUEST_COUNT] = {
    TABLE_ENTRY(BOOTLOADER_INFO, bootloader_info),
    TABLE_ENTRY(FIRMWARE_TYPE, firmware_type),
    TABLE_ENTRY(HHDM, hhdm),
    TABLE_ENTRY(MEMMAP, memmap),
    TABLE_ENTRY(EXECUTABLE_ADDRESS, executable_address),
    TABLE_ENTRY(EXECUTABLE_FILE, executable_file),
    TABLE_ENTRY(EXECUTABLE_CMDLINE, executable_cmdline),
    [REQUEST_STACK_SIZE] = { "stack_size", &stack_size_request.head },
    TABLE_ENTRY(RSDP, rsdp),
    TABLE_ENTRY(FRAMEBUFFER, framebuffer),
    TABLE_ENTRY(DATE_AT_BOOT, date_at_boot),
    TABLE_ENTRY(MODULE, module),
};

const void *requests_response(request_t request) {
    return (const void *)(uintptr_t)table[request].request->response;
}

void requests_move_response(request_t request, const void *response) {
    table[request].request->response = (uintptr_t)response;
}

const char *requests_name(request_t request) {
    return table[request].name;
}

unsigned int requests_base_revision(void) {
    if (base_revision.magic[1] != LIMINE_BASE_REVISION_MAGIC_1) {
        return (unsigned int)base_revision.magic[1];
    }
    return base_revision.revision == 0 ? BASE_REVISION_WANTED : BASE_REVISION_UNREPORTED;
}

void requests_check(void) {
    static const request_t required[] = { REQUEST_HHDM, REQUEST_MEMMAP, REQUEST_EXECUTABLE_ADDRESS };
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); ++i) {
        if (requests_response(required[i]) == NULL) {
            panic("the loader gave no %s response (base revision %u)",
                requests_name(required[i]), requests_base_revision());
        }
    }
}
