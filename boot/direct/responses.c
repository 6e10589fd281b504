// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The features: one row each, with the function that answers its request.  A row without a function has a name, for
// omit=, and is never answered.

#include "direct.h"

#define STACK_SIZE_LEAST (64 * KIB) // "Machine State at Entry"

static uint64_t answer_bootloader_info(struct boot *boot, const void *request) {
    (void)boot, (void)request;
    struct limine_bootloader_info_response *response = state_object(sizeof(*response));
    response->name = state_string(LOADER_NAME);
    response->version = state_string(LOADER_VERSION);
    return hhdm(response);
}

static uint64_t answer_executable_cmdline(struct boot *boot, const void *request) {
    (void)request;
    struct limine_executable_cmdline_response *response = state_object(sizeof(*response));
    response->cmdline = boot->cmdline_virt;
    return hhdm(response);
}

static uint64_t answer_firmware_type(struct boot *boot, const void *request) {
    (void)boot, (void)request;
    struct limine_firmware_type_response *response = state_object(sizeof(*response));
    response->firmware_type = LIMINE_FIRMWARE_X86BIOS;
    return hhdm(response);
}

static uint64_t answer_stack_size(struct boot *boot, const void *request) {
    uint64_t wanted = ((const struct limine_stack_size_request *)request)->stack_size;
    boot->stack_size = wanted > STACK_SIZE_LEAST ? wanted : STACK_SIZE_LEAST;
    return hhdm(state_object(sizeof(struct limine_empty_response)));
}

static uint64_t answer_hhdm(struct boot *boot, const void *request) {
    (void)boot, (void)request;
    struct limine_hhdm_response *response = state_object(sizeof(*response));
    response->offset = HHDM_OFFSET;
    return hhdm(response);
}

static uint64_t answer_paging_mode(struct boot *boot, const void *request) {
    (void)boot;
    const struct limine_paging_mode_request *wanted = request;
    if (wanted->head.revision >= 1 && wanted->min_mode > LIMINE_PAGING_MODE_X86_64_4LVL) {
        die("the kernel asks for paging mode %u at least, and only 4 levels are supported", wanted->min_mode);
    }
    struct limine_paging_mode_response *response = state_object(sizeof(*response));
    response->mode = LIMINE_PAGING_MODE_X86_64_4LVL;
    return hhdm(response);
}

static uint64_t answer_entry_point(struct boot *boot, const void *request) {
    boot->entry_virt = ((const struct limine_entry_point_request *)request)->entry;
    return hhdm(state_object(sizeof(struct limine_empty_response)));
}

static uint64_t answer_rsdp(struct boot *boot, const void *request) {
    (void)request;
    uint64_t phys = acpi_rsdp_phys();
    if (!phys) {
        return 0;
    }
    struct limine_rsdp_response *response = state_object(sizeof(*response));
    response->address = boot->requests.revision == 3 ? phys : HHDM_OFFSET + phys;
    return hhdm(response);
}

static uint64_t answer_date_at_boot(struct boot *boot, const void *request) {
    (void)boot, (void)request;
    struct limine_date_at_boot_response *response = state_object(sizeof(*response));
    response->timestamp = clock_unix_time();
    return hhdm(response);
}

static uint64_t answer_framebuffer(struct boot *boot, const void *request) {
    (void)request;
    const struct framebuffers *framebuffers = boot->framebuffers;
    if (!framebuffers->count) {
        return 0;
    }
    struct limine_framebuffer_response *response = state_object(sizeof(*response));
    uint64_t *pointers = state_object(framebuffers->count * sizeof(*pointers));
    for (size_t i = 0; i < framebuffers->count; ++i) {
        struct limine_framebuffer *framebuffer = state_object(sizeof(*framebuffer));
        *framebuffer = boot->options.framebuffer;
        framebuffer->address = HHDM_OFFSET + framebuffers->base_phys[i];
        for (size_t byte = 0; i == 0 && byte < sizeof(*framebuffer); ++byte) {
            if (((const uint8_t *)&boot->options.garble_mask)[byte]) {
                ((uint8_t *)framebuffer)[byte] = ((const uint8_t *)&boot->options.garbled)[byte];
            }
        }
        pointers[i] = hhdm(framebuffer);
    }
    response->framebuffer_count = framebuffers->count;
    response->framebuffers = hhdm(pointers);
    return hhdm(response);
}

static uint64_t answer_executable_address(struct boot *boot, const void *request) {
    (void)request;
    struct limine_executable_address_response *response = state_object(sizeof(*response));
    response->physical_base = boot->image.base_phys;
    response->virtual_base = boot->image.base_virt;
    return hhdm(response);
}

static uint64_t file_response(const struct module *module, uint64_t string_virt) {
    struct limine_file *file = state_object(sizeof(*file));
    file->address = HHDM_OFFSET + module->phys;
    file->size = module->size;
    file->path = module_path(module);
    file->string = string_virt;
    file->media_type = LIMINE_MEDIA_GENERIC;
    return hhdm(file);
}

static uint64_t answer_executable_file(struct boot *boot, const void *request) {
    (void)request;
    struct limine_executable_file_response *response = state_object(sizeof(*response));
    response->executable_file = file_response(&boot->modules.module[0], boot->cmdline_virt);
    return hhdm(response);
}

static uint64_t answer_module(struct boot *boot, const void *request) {
    (void)request;
    size_t count = boot->modules.count - 1;
    if (!count) {
        return 0;
    }
    struct limine_module_response *response = state_object(sizeof(*response));
    uint64_t *files = state_object(count * sizeof(*files));
    for (size_t i = 0; i < count; ++i) {
        const struct module *module = &boot->modules.module[i + 1];
        files[i] = file_response(module, state_string(module_arguments(module)));
    }
    response->module_count = count;
    response->modules = hhdm(files);
    return hhdm(response);
}

// Only reserves room: state_close(), which is called last, still changes the map.
static uint64_t answer_memmap(struct boot *boot, const void *request) {
    (void)request;
    struct limine_memmap_response *response = state_object(sizeof(*response));
    boot->memmap_room = boot->served->count + STATE_CLOSE_ENTRIES;
    boot->memmap_entries = state_object(boot->memmap_room * sizeof(*boot->memmap_entries));
    boot->memmap_pointers = state_object(boot->memmap_room * sizeof(*boot->memmap_pointers));
    boot->memmap_response = response;
    response->entries = hhdm(boot->memmap_pointers);
    return hhdm(response);
}

static const struct feature {
    const char *name;
    uint64_t id[4];
    uint64_t (*answer)(struct boot *boot, const void *request); // the response's address, 0 for none
} features[] = {
    { "bootloader_info", LIMINE_ID(LIMINE_BOOTLOADER_INFO), answer_bootloader_info },
    { "executable_cmdline", LIMINE_ID(LIMINE_EXECUTABLE_CMDLINE), answer_executable_cmdline },
    { "firmware_type", LIMINE_ID(LIMINE_FIRMWARE_TYPE), answer_firmware_type },
    { "stack_size", LIMINE_ID(LIMINE_STACK_SIZE), answer_stack_size },
    { "hhdm", LIMINE_ID(LIMINE_HHDM), answer_hhdm },
    { "framebuffer", LIMINE_ID(LIMINE_FRAMEBUFFER), answer_framebuffer },
    { "paging_mode", LIMINE_ID(LIMINE_PAGING_MODE), answer_paging_mode },
    { "entry_point", LIMINE_ID(LIMINE_ENTRY_POINT), answer_entry_point },
    { "rsdp", LIMINE_ID(LIMINE_RSDP), answer_rsdp },
    { "date_at_boot", LIMINE_ID(LIMINE_DATE_AT_BOOT), answer_date_at_boot },
    { "executable_address", LIMINE_ID(LIMINE_EXECUTABLE_ADDRESS), answer_executable_address },
    { "executable_file", LIMINE_ID(LIMINE_EXECUTABLE_FILE), answer_executable_file },
    { "module", LIMINE_ID(LIMINE_MODULE), answer_module },
    { "memmap", LIMINE_ID(LIMINE_MEMMAP), answer_memmap },
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

_Static_assert(FEATURES <= 32, "options.omitted has a bit for each feature");

int feature_index(const char *name) {
    for (size_t i = 0; i < FEATURES; ++i) {
        if (string_equal(name, features[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

static const struct feature *feature_of(const struct limine_request *request) {
    for (size_t i = 0; i < FEATURES; ++i) {
        if (!memcmp(request->id, features[i].id, sizeof(features[i].id))) {
            return &features[i];
        }
    }
    return NULL;
}

void responses_write(struct boot *boot) {
    boot->stack_size = STACK_SIZE_LEAST;
    boot->cmdline_virt = state_string(module_arguments(&boot->modules.module[0]));
    for (size_t i = 0; i < boot->requests.count; ++i) {
        struct limine_request *request = image_pointer(&boot->image, boot->requests.request_virt[i]);
        const struct feature *feature = feature_of(request);
        if (!feature || !feature->answer || boot->options.omitted >> (feature - features) & 1) {
            continue;
        }
        uint64_t response_virt = feature->answer(boot, request);
        if (response_virt) {
            request->response = response_virt;
        }
    }
}

void responses_write_memmap(struct boot *boot) {
    if (!boot->memmap_response) {
        return;
    }
    const struct regions *served = boot->served;
    if (served->count > boot->memmap_room) {
        die("the served memory map grew to %u entries, past %u", served->count, boot->memmap_room);
    }
    boot->memmap_response->entry_count = served->count;
    for (size_t i = 0; i < served->count; ++i) {
        boot->memmap_entries[i] = served->entry[i];
        boot->memmap_pointers[i] = hhdm(&boot->memmap_entries[i]);
    }
}
