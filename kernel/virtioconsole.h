// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The virtio console, which input and output use beside the serial port.  Until
// virtioconsole.py has set it up, all output is dropped and no input comes.
#ifndef KERNEL_VIRTIOCONSOLE_H
#define KERNEL_VIRTIOCONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A virtqueue as virtioconsole.py lays it out: each descriptor has a buffer of
// its own.  The device is notified by a store of the queue's number.
typedef struct _virtioconsole_queue_t {
    uintptr_t virt;
    uintptr_t buffers_virt;
    uintptr_t notify_virt;
    uint16_t number;
} virtioconsole_queue_t;

// Serves the queues from now on, soft resets included: the device has all buffers
// of received, and none of sent.  At status_virt is the device's status.
void virtioconsole_start(const virtioconsole_queue_t *received, const virtioconsole_queue_t *sent, uintptr_t status_virt);

// Whether a console is served: one was set up, and has not been found gone.
bool virtioconsole_running(void);

// Reads what was received, size characters at most, and returns how many.
size_t virtioconsole_rx(uint8_t *buf, size_t size);

// Has the device interrupt for input, or not; returns whether there is input.
bool virtioconsole_rx_interrupt(bool on);

// Sends len bytes; waits for room, for some 10 s when nobody reads.
void virtioconsole_tx_strn(const char *buf, size_t len);

// Waits until the host has everything sent, for some 10 s at most.
void virtioconsole_tx_flush(void);

#endif // KERNEL_VIRTIOCONSOLE_H
