// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The kernel's ELF file: checked in full before anything is placed, then copied and mapped segment by segment.

#include "direct.h"

const struct elf_segment *image_segment(const struct image *image, size_t index) {
    return (const struct elf_segment *)(image->file + image->header->phoff) + index;
}

// True for the segments that take part in the image.
static bool is_loaded(const struct elf_segment *segment) {
    return segment->type == ELF_PT_LOAD && segment->memory_size;
}

static void check_header(const struct image *image) {
    const struct elf_header *header = image->header;
    if (image->file_size < sizeof(*header) || memcmp(header->magic, "\177ELF", 4)) {
        die("the kernel is not an ELF file");
    }
    if (header->class != ELF_CLASS_64 || header->data != ELF_DATA_LITTLE || header->machine != ELF_MACHINE_X86_64) {
        die("the kernel is not an ELF64 file for x86-64 (class %u, machine %u)", (uint64_t)header->class,
            (uint64_t)header->machine);
    }
    if (header->type != ELF_TYPE_EXEC) {
        die("the kernel is of ELF type %u, not an executable linked at a fixed address", (uint64_t)header->type);
    }
    if (header->phentsize != sizeof(struct elf_segment) || header->phoff > image->file_size
        || header->phnum * sizeof(struct elf_segment) > image->file_size - header->phoff) {
        die("the kernel's program headers lie outside its file");
    }
}

static void check_segment(const struct image *image, size_t index) {
    const struct elf_segment *segment = image_segment(image, index);
    if (segment->file_size > segment->memory_size || segment->offset > image->file_size
        || segment->file_size > image->file_size - segment->offset) {
        die("segment %u lies outside the kernel's file", (uint64_t)index);
    }
    // The last page is excluded: its end is 0 in 64 bits.
    if (segment->virt < KERNEL_LOWEST_VIRT || segment->memory_size >= -PAGE_SIZE - segment->virt) {
        die("segment %u at %x lies outside the kernel's range from %x", (uint64_t)index, segment->virt,
            KERNEL_LOWEST_VIRT);
    }
    for (size_t i = 0; i < index; ++i) {
        const struct elf_segment *other = image_segment(image, i);
        if (is_loaded(other)
            && ALIGN_DOWN(segment->virt, PAGE_SIZE) < ALIGN_UP(other->virt + other->memory_size, PAGE_SIZE)
            && ALIGN_DOWN(other->virt, PAGE_SIZE) < ALIGN_UP(segment->virt + segment->memory_size, PAGE_SIZE)) {
            die("segments %u and %u share a page", (uint64_t)i, (uint64_t)index);
        }
    }
}

void image_check(struct image *image, const void *file, uint64_t size) {
    image->file = file;
    image->file_size = size;
    image->header = file;
    check_header(image);

    uint64_t low = UINT64_MAX, high = 0;
    for (size_t i = 0; i < image->header->phnum; ++i) {
        const struct elf_segment *segment = image_segment(image, i);
        if (!is_loaded(segment)) {
            continue;
        }
        check_segment(image, i);
        uint64_t base = ALIGN_DOWN(segment->virt, PAGE_SIZE);
        uint64_t end = ALIGN_UP(segment->virt + segment->memory_size, PAGE_SIZE);
        low = base < low ? base : low;
        high = end > high ? end : high;
    }
    if (low >= high) {
        die("the kernel has no segment to load");
    }
    image->base_virt = low;
    image->size = high - low;
}

void *image_pointer(const struct image *image, uint64_t virt) {
    return phys_to_pointer(image->base_phys + (virt - image->base_virt));
}

void image_load(const struct image *image) {
    memset(image_pointer(image, image->base_virt), 0, image->size);
    for (size_t i = 0; i < image->header->phnum; ++i) {
        const struct elf_segment *segment = image_segment(image, i);
        if (is_loaded(segment)) {
            memcpy(image_pointer(image, segment->virt), image->file + segment->offset, segment->file_size);
        }
    }
}

void image_map(const struct image *image) {
    for (size_t i = 0; i < image->header->phnum; ++i) {
        const struct elf_segment *segment = image_segment(image, i);
        if (!is_loaded(segment)) {
            continue;
        }
        uint64_t base = ALIGN_DOWN(segment->virt, PAGE_SIZE);
        uint64_t end = ALIGN_UP(segment->virt + segment->memory_size, PAGE_SIZE);
        unsigned int rights = segment->flags & ELF_PF_W ? MAP_WRITE : 0;
        rights |= segment->flags & ELF_PF_X ? MAP_EXECUTE : 0;
        paging_map(base, image->base_phys + (base - image->base_virt), end - base, rights);
    }
}
