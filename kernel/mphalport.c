// SPDX-License-Identifier: MIT OR Apache-2.0

#include "py/mphal.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/softtimer.h"

#include "clock.h"
#include "irq.h"
#include "keyboard.h"
#include "screen.h"
#include "uart.h"

// Jumps of bytecode between two reads of the clock, and the least time between
// two polls of the serial port, which cost as much as 10 to 50 jumps each.
#define VM_HOOK_JUMPS 16
#define VM_HOOK_POLL_NS 1000000

// Holds the windows of the raw-paste mode and some type-ahead.
static uint8_t stdin_buffer[MICROPY_REPL_STDIN_BUFFER_MAX + 1024];
static ringbuf_t stdin_ringbuf = { stdin_buffer, sizeof(stdin_buffer), 0, 0 };

int mp_hal_vm_hook_countdown = VM_HOOK_JUMPS;

static void put_char(int c) {
    if (c == mp_interrupt_char) {
        mp_sched_keyboard_interrupt();
    } else {
        ringbuf_put(&stdin_ringbuf, (uint8_t)c);
    }
}

// What does not fit is dropped: the next Ctrl-C must be seen.
static void put_typed(const char *str, size_t len) {
    bool interrupt = len == 1 && (uint8_t)*str == mp_interrupt_char;
    if (interrupt || ringbuf_free(&stdin_ringbuf) >= len) {
        for (size_t i = 0; i < len; ++i) {
            put_char((uint8_t)str[i]);
        }
    }
}

void mp_hal_poll_stdin(void) {
    uint8_t received[64];
    size_t len;
    // When the buffer is full the rest stays in the UART, as flow control.
    while ((len = uart_rx(received, MIN(sizeof(received), ringbuf_free(&stdin_ringbuf)))) > 0) {
        for (size_t i = 0; i < len; ++i) {
            put_char(received[i]);
        }
    }
    keyboard_poll(put_typed);
}

// When the first soft timer is due, if timers_waiting.
static uint32_t timers_due_ms;
static bool timers_waiting;

uint32_t soft_timer_get_ms(void) {
    return (uint32_t)mp_hal_ticks_ms();
}

void soft_timer_schedule_at_ms(uint32_t ticks_ms) {
    timers_due_ms = ticks_ms;
    timers_waiting = true;
}

// Not less than 0, and INT32_MAX if no timer waits.
static int32_t timers_left_ms(void) {
    return timers_waiting ? MAX(soft_timer_ticks_diff(timers_due_ms, soft_timer_get_ms()), 0) : INT32_MAX;
}

void mp_hal_poll(void) {
    mp_hal_poll_stdin();
    if (timers_left_ms() == 0) {
        timers_waiting = false;
        soft_timer_handler();
    }
}

void mp_hal_vm_hook(void) {
    static uint64_t next_poll_ns;
    mp_hal_vm_hook_countdown = VM_HOOK_JUMPS;
    uint64_t now_ns = clock_ns();
    if (now_ns >= next_poll_ns) {
        next_poll_ns = now_ns + VM_HOOK_POLL_NS;
        mp_hal_poll();
        screen_tick();
    }
}

void mp_hal_wait(mp_int_t timeout_ms) {
    screen_tick();
    if ((timeout_ms < 0 || timeout_ms >= IRQ_TICK_MS) && timers_left_ms() >= IRQ_TICK_MS) {
        irq_wait();
    } else {
        cpu_pause();
    }
}

uintptr_t mp_hal_stdio_poll(uintptr_t poll_flags) {
    uintptr_t ready = 0;
    if (poll_flags & MP_STREAM_POLL_RD) {
        mp_hal_poll_stdin();
        if (ringbuf_avail(&stdin_ringbuf) > 0) {
            ready |= MP_STREAM_POLL_RD;
        }
    }
    if (poll_flags & MP_STREAM_POLL_WR) {
        ready |= MP_STREAM_POLL_WR;
    }
    return ready;
}

int mp_hal_stdin_rx_chr(void) {
    for (;;) {
        // Reading ports is slow: what is here goes first.
        int c = ringbuf_get(&stdin_ringbuf);
        if (c == -1) {
            mp_hal_poll_stdin();
            c = ringbuf_get(&stdin_ringbuf);
        }
        if (c != -1) {
            return c;
        }
        mp_event_wait_indefinite();
    }
}

mp_uint_t mp_hal_stdout_tx_strn(const char *str, size_t len) {
    uart_tx_strn(str, len);
    screen_write(str, len);
    return len;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return clock_ns() / 1000000;
}

mp_uint_t mp_hal_ticks_us(void) {
    return clock_ns() / 1000;
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return cpu_ticks();
}

uint64_t mp_hal_time_ns(void) {
    return clock_unix_ns();
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end_ns = clock_ns() + us * 1000;
    while (clock_ns() < end_ns) {
        cpu_pause();
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    uint64_t end_ns = clock_ns() + ms * 1000000;
    uint64_t now_ns;
    do {
        mp_event_handle_nowait();
        now_ns = clock_ns();
        if (now_ns < end_ns) {
            mp_hal_wait((mp_int_t)((end_ns - now_ns) / 1000000));
        }
    } while (now_ns < end_ns);
}

uint32_t mp_hal_random_seed(void) {
    return (uint32_t)cpu_random();
}
