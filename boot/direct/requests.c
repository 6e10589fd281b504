// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The search for the base revision tag and the requests.  It reads each segment's bytes in the file, before the image
// is placed: a request is initialised, so none lies in memory that the file does not fill.

#include "direct.h"

#define WORD 8 // requests, tag and markers are 8-byte aligned

static const uint64_t start_marker[] = LIMINE_START_MARKER;
static const uint64_t end_marker[] = LIMINE_END_MARKER;
static const uint64_t tag_magic[] = { LIMINE_BASE_REVISION_MAGIC_0, LIMINE_BASE_REVISION_MAGIC_1 };
static const uint64_t common_magic[] = { LIMINE_COMMON_MAGIC_0, LIMINE_COMMON_MAGIC_1 };

struct search {
    const struct image *image;
    struct requests *requests;
    uint64_t low_virt, high_virt; // between the markers
};

// Called for each aligned word of the image with the bytes that follow it in its segment.
typedef void (*visitor)(struct search *search, uint64_t virt, const uint8_t *bytes, uint64_t left);

static void visit(struct search *search, visitor visitor) {
    for (size_t i = 0; i < search->image->header->phnum; ++i) {
        const struct elf_segment *segment = image_segment(search->image, i);
        if (segment->type != ELF_PT_LOAD) {
            continue;
        }
        uint64_t end = segment->virt + segment->file_size;
        for (uint64_t virt = ALIGN_UP(segment->virt, WORD); virt + WORD <= end; virt += WORD) {
            visitor(search, virt, search->image->file + segment->offset + (virt - segment->virt), end - virt);
        }
    }
}

static bool begins_with(const uint8_t *bytes, uint64_t left, const uint64_t *pattern, size_t size) {
    return left >= size && *(const uint64_t *)bytes == pattern[0] && !memcmp(bytes, pattern, size);
}

static void find_markers(struct search *search, uint64_t virt, const uint8_t *bytes, uint64_t left) {
    if (virt > search->low_virt && begins_with(bytes, left, start_marker, sizeof(start_marker))) {
        search->low_virt = virt;
    }
    if (virt < search->high_virt && begins_with(bytes, left, end_marker, sizeof(end_marker))) {
        search->high_virt = virt;
    }
}

static void add_request(struct requests *requests, uint64_t virt, const struct limine_request *request) {
    for (size_t i = 0; i < requests->count; ++i) {
        if (!memcmp(requests->request[i]->id, request->id, sizeof(request->id))) {
            die("request %x %x occurs twice, at %x and %x", request->id[2], request->id[3], requests->request_virt[i],
                virt);
        }
    }
    if (requests->count == REQUESTS_MAX) {
        die("the kernel has more than %u requests", (uint64_t)REQUESTS_MAX);
    }
    requests->request_virt[requests->count] = virt;
    requests->request[requests->count++] = request;
}

static void find_requests(struct search *search, uint64_t virt, const uint8_t *bytes, uint64_t left) {
    struct requests *requests = search->requests;
    if (virt < search->low_virt || virt >= search->high_virt) {
        return;
    }
    if (begins_with(bytes, left, tag_magic, sizeof(tag_magic)) && left >= sizeof(struct limine_base_revision)) {
        if (requests->tag_virt) {
            die("the base revision tag occurs twice, at %x and %x", requests->tag_virt, virt);
        }
        requests->tag_virt = virt;
        requests->wanted = ((const struct limine_base_revision *)bytes)->revision;
    } else if (begins_with(bytes, left, common_magic, sizeof(common_magic)) && left >= sizeof(struct limine_request)) {
        add_request(requests, virt, (const struct limine_request *)bytes);
    }
}

static uint64_t revision_in_force(const struct requests *requests, const struct options *options) {
    if (options->ignore_tag) {
        return REVISION_OLDEST;
    }
    if (!requests->tag_virt) {
        die("the kernel has no base revision tag, and revision 0 is not supported");
    }
    if (requests->wanted < REVISION_OLDEST) {
        die("the kernel asks for base revision %u, and the oldest supported is %u", requests->wanted,
            (uint64_t)REVISION_OLDEST);
    }
    return requests->wanted < options->revision_cap ? requests->wanted : options->revision_cap;
}

void requests_find(struct requests *requests, const struct image *image, const struct options *options) {
    struct search search = { image, requests, 0, UINT64_MAX };
    visit(&search, find_markers);
    if (search.low_virt >= search.high_virt) {
        die("the end marker at %x lies before the start marker at %x", search.high_virt, search.low_virt);
    }
    visit(&search, find_requests);
    requests->revision = revision_in_force(requests, options);
}

void requests_answer_tag(const struct requests *requests, const struct image *image, const struct options *options) {
    if (options->ignore_tag) {
        return;
    }
    struct limine_base_revision *tag = image_pointer(image, requests->tag_virt);
    if (options->revision_cap >= REVISION_TELLS) {
        tag->magic[1] = requests->revision;
    }
    if (requests->revision == requests->wanted) {
        tag->revision = 0;
    }
}
