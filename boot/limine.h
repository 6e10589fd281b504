// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The Limine boot protocol as both of its ends see it: the kernel that asks, and the stand-in loader in boot/direct/
// that answers.  Freestanding; needs nothing but <stdint.h>.
//
// Source of every number here: the protocol's text, PROTOCOL.md of the limine-protocol project (sections "Base Protocol
// Revisions", "Requests Delimiters", "Feature List" and "File Structure").
//
// Pointers are held as uint64_t, because the two ends run in different address spaces.  All of them are virtual
// addresses inside the HHDM unless the comment says otherwise.

#ifndef PFM_BOOT_LIMINE_H
#define PFM_BOOT_LIMINE_H

#include <stdint.h>

// Delimiters: requests count between the last start marker and the first end marker, each 8-byte aligned.
#define LIMINE_START_MARKER { 0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9 }
#define LIMINE_END_MARKER { 0xadc0e0531bb10d03, 0x9572709f31764c62 }

// The base revision tag.  The loader clears `revision` when it obeys the one asked for; one that knows revision 3
// or later also overwrites `magic[1]` with the revision in force.
#define LIMINE_BASE_REVISION_MAGIC_0 0xf9562b2d5c95a6c8
#define LIMINE_BASE_REVISION_MAGIC_1 0x6a7b384944536bdc
#define LIMINE_BASE_REVISION_TAG(n) { { LIMINE_BASE_REVISION_MAGIC_0, LIMINE_BASE_REVISION_MAGIC_1 }, (n) }

struct limine_base_revision {
    uint64_t magic[2];
    uint64_t revision;
};

// Every request begins with these two words, then the two that name the feature.
#define LIMINE_COMMON_MAGIC_0 0xc7b1dd30df4c8b88
#define LIMINE_COMMON_MAGIC_1 0x0a82e883a194f07b
#define LIMINE_ID(...) { LIMINE_COMMON_MAGIC_0, LIMINE_COMMON_MAGIC_1, __VA_ARGS__ }

#define LIMINE_BOOTLOADER_INFO 0xf55038d8e2a1202f, 0x279426fcf5f59740
#define LIMINE_EXECUTABLE_CMDLINE 0x4b161536e598651e, 0xb390ad4a2f1f303a
#define LIMINE_FIRMWARE_TYPE 0x8c2f75d90bef28a8, 0x7045a4688eac00c3
#define LIMINE_STACK_SIZE 0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d
#define LIMINE_HHDM 0x48dcf1cb8ad2b852, 0x63984e959a98244b
#define LIMINE_FRAMEBUFFER 0x9d5827dcd881dd75, 0xa3148604f6fab11b
#define LIMINE_PAGING_MODE 0x95c1a0edab0944cb, 0xa4e5cb3842f7488a
#define LIMINE_MP 0x95a67b819a1b857e, 0xa0b61b723b6a73e0
#define LIMINE_MEMMAP 0x67cf3d9d378a806f, 0xe304acdfc50c3c62
#define LIMINE_ENTRY_POINT 0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a
#define LIMINE_EXECUTABLE_FILE 0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69
#define LIMINE_MODULE 0x3e7e279702be32af, 0xca1c4f3bd1280cee
#define LIMINE_RSDP 0xc5e77b6b397e7b43, 0x27637845accdcf3c
#define LIMINE_DATE_AT_BOOT 0x502746e184c088aa, 0xfbc5ec83e6327893
#define LIMINE_EXECUTABLE_ADDRESS 0x71ba76863cc55f63, 0xb2644a48c516a487

// The part all requests share; `response` stays as it was where the loader does not answer.
struct limine_request {
    uint64_t id[4];
    uint64_t revision;
    uint64_t response;
};

struct limine_stack_size_request {
    struct limine_request head;
    uint64_t stack_size; // bytes
};

struct limine_paging_mode_request {
    struct limine_request head;
    uint64_t mode;     // preferred
    uint64_t max_mode; // from request revision 1 on
    uint64_t min_mode; // from request revision 1 on
};

struct limine_mp_request {
    struct limine_request head;
    uint64_t flags;
};

struct limine_entry_point_request {
    struct limine_request head;
    uint64_t entry; // virtual address to enter at instead of the image's own entry point
};

// Responses.
struct limine_bootloader_info_response {
    uint64_t revision;
    uint64_t name;    // char *
    uint64_t version; // char *
};

struct limine_executable_cmdline_response {
    uint64_t revision;
    uint64_t cmdline; // char *
};

enum {
    LIMINE_FIRMWARE_X86BIOS = 0,
    LIMINE_FIRMWARE_EFI32 = 1,
    LIMINE_FIRMWARE_EFI64 = 2,
};

struct limine_firmware_type_response {
    uint64_t revision;
    uint64_t firmware_type;
};

// Stack size and entry point: the answer is only that they were obeyed.
struct limine_empty_response {
    uint64_t revision;
};

struct limine_hhdm_response {
    uint64_t revision;
    uint64_t offset; // virtual minus physical address
};

enum {
    LIMINE_PAGING_MODE_X86_64_4LVL = 0,
    LIMINE_PAGING_MODE_X86_64_5LVL = 1,
};

struct limine_paging_mode_response {
    uint64_t revision;
    uint64_t mode;
};

enum {
    LIMINE_MEMMAP_USABLE = 0,
    LIMINE_MEMMAP_RESERVED = 1,
    LIMINE_MEMMAP_ACPI_RECLAIMABLE = 2,
    LIMINE_MEMMAP_ACPI_NVS = 3,
    LIMINE_MEMMAP_BAD_MEMORY = 4,
    LIMINE_MEMMAP_BOOTLOADER_RECLAIMABLE = 5,
    LIMINE_MEMMAP_EXECUTABLE_AND_MODULES = 6,
    LIMINE_MEMMAP_FRAMEBUFFER = 7,
    LIMINE_MEMMAP_RESERVED_MAPPED = 8, // from base revision 4 on
};

struct limine_memmap_entry {
    uint64_t base;   // physical address
    uint64_t length; // bytes
    uint64_t type;
};

struct limine_memmap_response {
    uint64_t revision;
    uint64_t entry_count;
    uint64_t entries; // struct limine_memmap_entry **, the inner pointers in the HHDM as well
};

enum {
    LIMINE_FRAMEBUFFER_RGB = 1,
};

struct limine_framebuffer {
    uint64_t address; // virtual, in the HHDM
    uint64_t width;
    uint64_t height;
    uint64_t pitch; // bytes from one row to the next
    uint16_t bpp;   // bits per pixel
    uint8_t memory_model;
    uint8_t red_mask_size; // bits
    uint8_t red_mask_shift;
    uint8_t green_mask_size;
    uint8_t green_mask_shift;
    uint8_t blue_mask_size;
    uint8_t blue_mask_shift;
    uint8_t unused[7];
    uint64_t edid_size; // bytes
    uint64_t edid;
    uint64_t mode_count; // from response revision 1 on
    uint64_t modes;      // from response revision 1 on: pointers to what is read as it stands
};

struct limine_framebuffer_response {
    uint64_t revision;
    uint64_t framebuffer_count;
    uint64_t framebuffers; // struct limine_framebuffer **
};

enum {
    LIMINE_MEDIA_GENERIC = 0,
    LIMINE_MEDIA_OPTICAL = 1,
    LIMINE_MEDIA_TFTP = 2,
};

struct limine_file {
    uint64_t revision;
    uint64_t address; // of the file as loaded, void *
    uint64_t size;    // bytes
    uint64_t path;    // char *
    uint64_t string;  // char *, the command line where the file is the executable
    uint32_t media_type;
    uint32_t unused;
    uint32_t tftp_ip;
    uint32_t tftp_port;
    uint32_t partition_index;
    uint32_t mbr_disk_id;
    uint8_t gpt_disk_uuid[16];
    uint8_t gpt_part_uuid[16];
    uint8_t part_uuid[16];
};

struct limine_executable_file_response {
    uint64_t revision;
    uint64_t executable_file; // struct limine_file *
};

struct limine_module_response {
    uint64_t revision;
    uint64_t module_count;
    uint64_t modules; // struct limine_file **
};

struct limine_rsdp_response {
    uint64_t revision;
    uint64_t address; // physical under base revision 3, virtual under all others
};

struct limine_date_at_boot_response {
    uint64_t revision;
    int64_t timestamp; // seconds since 1970-01-01 00:00 UTC
};

struct limine_executable_address_response {
    uint64_t revision;
    uint64_t physical_base;
    uint64_t virtual_base;
};

_Static_assert(sizeof(struct limine_request) == 48, "request head");
_Static_assert(sizeof(struct limine_file) == 112, "limine_file");

#endif // PFM_BOOT_LIMINE_H
