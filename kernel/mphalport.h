// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MPHALPORT_H
#define KERNEL_MPHALPORT_H

#include <stddef.h>

#include "cpu.h"
#include "mpthreadport.h"
#include "shared/runtime/interrupt_char.h"

#define MICROPY_BEGIN_ATOMIC_SECTION() mp_thread_begin_atomic_section()
#define MICROPY_END_ATOMIC_SECTION(state) mp_thread_end_atomic_section(state)

// Soft timers are looked at where no other code of theirs runs.
#define MICROPY_PY_PENDSV_ENTER
#define MICROPY_PY_PENDSV_EXIT

#define MICROPY_INTERNAL_WFE(timeout_ms) mp_hal_wait(timeout_ms)
#define MICROPY_INTERNAL_EVENT_HOOK mp_hal_poll()

// What the raw-paste mode of the REPL lets its sender have on the way, in two
// windows: less than the input buffer holds.
#define MICROPY_REPL_STDIN_BUFFER_MAX (16384)

// Does what is due: polls standard input, and schedules the callbacks of soft timers.
void mp_hal_poll(void);

// Moves what the serial port and the virtio console have received and the keyboard has
// typed to the input buffer, and schedules a KeyboardInterrupt when the interrupt character is among it.
void mp_hal_poll_stdin(void);

// Halts until there is input or the timer ticks; only pauses when timeout_ms or
// the time to the next soft timer is shorter than a tick.  A negative timeout_ms is no limit.
void mp_hal_wait(mp_int_t timeout_ms);

#endif // KERNEL_MPHALPORT_H
