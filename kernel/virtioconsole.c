// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The polled driver of the virtio console that virtioconsole.py has set up.  Its
// interrupt only ends a halt (irq.h).
// Source: Virtual I/O Device (VIRTIO) 1.2: 2.7 split virtqueues, 5.3 console device.

#include <string.h>

#include "py/mpconfig.h"
#include "py/misc.h"

#include "clock.h"
#include "smp.h"
#include "virtioconsole.h"

// As in virtioconsole.py.
#define QUEUE_SIZE      8
#define BUFFER_SIZE     512
#define ALL_BUFFERS     ((1u << QUEUE_SIZE) - 1)

#define NO_INTERRUPT    1 // 2.7.6.1
#define DRIVER_OK       0x04 // 2.1, as the next
#define NEEDS_RESET     0x40
#define GONE            0xff

// The host may be slow; but somebody who has stopped reading must not hang the machine.
#define TX_WAIT_NS      10000000000

// 2.7.5 to 2.7.8; the rings are where virtioconsole.py puts them.
typedef struct _queue_memory_t {
    struct {
        uint64_t phys;
        uint32_t size;
        uint16_t flags;
        uint16_t next;
    } desc[QUEUE_SIZE];
    struct {
        uint16_t flags;
        uint16_t index;
        uint16_t ring[QUEUE_SIZE];
    } avail;
    uint8_t padding[12];
    struct {
        uint16_t flags;
        uint16_t index;
        struct {
            uint32_t id;
            uint32_t size;
        } ring[QUEUE_SIZE];
    } used;
} queue_memory_t;

_Static_assert(offsetof(queue_memory_t, avail) == 128 && offsetof(queue_memory_t, used) == 160, "virtioconsole.py");

typedef struct _queue_t {
    volatile queue_memory_t *memory;
    uint8_t (*buffers)[BUFFER_SIZE];
    volatile uint16_t *notify;
    uint16_t number;
    // How many entries of the used ring have been taken.
    uint16_t taken;
} queue_t;

static queue_t received;
static queue_t sent;
static volatile uint8_t *status;
// Until it does not answer any more.
static bool running;

// The buffer of received that is being read, and what is left of it.
static unsigned int reading;
static unsigned int reading_at;
static unsigned int reading_end;

// The buffers of sent that are free, as bits.
static uint32_t free_buffers;
// Nobody reads: output is dropped without waiting until there is room again.
static bool stuck;

static void set_queue(queue_t *queue, const virtioconsole_queue_t *from) {
    queue->memory = (volatile queue_memory_t *)from->virt;
    queue->buffers = (uint8_t (*)[BUFFER_SIZE])from->buffers_virt;
    queue->notify = (volatile uint16_t *)from->notify_virt;
    queue->number = from->number;
    queue->taken = 0;
}

void virtioconsole_start(const virtioconsole_queue_t *from_received, const virtioconsole_queue_t *from_sent, uintptr_t status_virt) {
    set_queue(&received, from_received);
    set_queue(&sent, from_sent);
    status = (volatile uint8_t *)status_virt;
    reading_at = 0;
    reading_end = 0;
    free_buffers = ALL_BUFFERS;
    stuck = false;
    running = true;
}

bool virtioconsole_running(void) {
    return running;
}

// 2.7.13, without the notification.
static void offer(queue_t *queue, unsigned int buffer) {
    uint16_t index = queue->memory->avail.index;
    queue->memory->avail.ring[index % QUEUE_SIZE] = (uint16_t)buffer;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    queue->memory->avail.index = (uint16_t)(index + 1);
}

static void notify(const queue_t *queue) {
    *queue->notify = queue->number;
}

static bool has_used(const queue_t *queue) {
    bool used = queue->memory->used.index != queue->taken;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return used;
}

// The next buffer that the device has used, and what it has written there, as
// far as it can be: what the device says is not trusted.
static unsigned int take(queue_t *queue, unsigned int *size) {
    unsigned int at = queue->taken++ % QUEUE_SIZE;
    *size = MIN(queue->memory->used.ring[at].size, BUFFER_SIZE);
    return queue->memory->used.ring[at].id % QUEUE_SIZE;
}

static void give_back(unsigned int buffer) {
    uint16_t before = received.memory->avail.index;
    offer(&received, buffer);
    // The device looks for a buffer once more before it waits for one.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (received.memory->used.index == before) {
        notify(&received);
    }
}

size_t virtioconsole_rx(uint8_t *buf, size_t size) {
    size_t len = 0;
    while (running && len < size && (reading_at < reading_end || has_used(&received))) {
        if (reading_at == reading_end) {
            reading = take(&received, &reading_end);
            reading_at = 0;
        }
        size_t count = MIN(size - len, reading_end - reading_at);
        memcpy(buf + len, received.buffers[reading] + reading_at, count);
        len += count;
        reading_at += (unsigned int)count;
        if (reading_at == reading_end) {
            give_back(reading);
        }
    }
    return len;
}

bool virtioconsole_rx_interrupt(bool on) {
    if (!running) {
        return false;
    }
    received.memory->avail.flags = on ? 0 : NO_INTERRUPT;
    // The device looks at the flags after it has used a buffer.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return reading_at < reading_end || has_used(&received);
}

static void take_sent(void) {
    while (has_used(&sent)) {
        unsigned int size;
        free_buffers |= 1u << take(&sent, &size);
        stuck = false;
    }
}

static bool has_room(bool all) {
    return all ? free_buffers == ALL_BUFFERS : free_buffers != 0;
}

// 2.1.2; and 0 from a device that others have reset.
static bool answers(void) {
    uint8_t now = *status;
    return now != GONE && (now & DRIVER_OK) && !(now & NEEDS_RESET);
}

// Waits until a buffer is free, or until all are.
static bool tx_wait(bool all) {
    uint64_t end_ns = stuck ? 0 : clock_ns() + TX_WAIT_NS;
    take_sent();
    while (!has_room(all)) {
        if (!answers()) {
            running = false;
            return false;
        }
        if (clock_ns() >= end_ns) {
            stuck = true;
            return false;
        }
        smp_relax();
        take_sent();
    }
    return true;
}

void virtioconsole_tx_strn(const char *buf, size_t len) {
    while (running && len > 0 && tx_wait(false)) {
        unsigned int buffer = (unsigned int)__builtin_ctz(free_buffers);
        size_t count = MIN(len, BUFFER_SIZE);
        memcpy(sent.buffers[buffer], buf, count);
        sent.memory->desc[buffer].size = (uint32_t)count;
        free_buffers &= ~(1u << buffer);
        offer(&sent, buffer);
        notify(&sent);
        buf += count;
        len -= count;
    }
}

void virtioconsole_tx_flush(void) {
    if (running) {
        tx_wait(true);
    }
}
