// SPDX-License-Identifier: MIT OR Apache-2.0

#include "py/mphal.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "shared/runtime/softtimer.h"

#include "clock.h"
#include "critical.h"
#include "irq.h"
#include "keyboard.h"
#include "objlock.h"
#include "screen.h"
#include "smp.h"
#include "uart.h"
#include "virtioconsole.h"

// Jumps of bytecode between two reads of the clock, and the least time between
// two polls of the serial port, which cost as much as 10 to 50 jumps each.
#define VM_HOOK_JUMPS 16
#define VM_HOOK_POLL_NS 1000000

// Holds the windows of the raw-paste mode and some type-ahead.
static uint8_t stdin_buffer[MICROPY_REPL_STDIN_BUFFER_MAX + 1024];
static ringbuf_t stdin_ringbuf = { stdin_buffer, sizeof(stdin_buffer), 0, 0 };

static smp_lock_t stdin_lock;
static smp_lock_t stdout_lock;

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

// When the buffer is full the rest stays where it is, as flow control.
static void put_received(size_t (*rx)(uint8_t *buf, size_t size)) {
    uint8_t received[64];
    size_t len;
    while ((len = rx(received, MIN(sizeof(received), ringbuf_free(&stdin_ringbuf)))) > 0) {
        for (size_t i = 0; i < len; ++i) {
            put_char(received[i]);
        }
    }
}

void mp_hal_poll_stdin(void) {
    smp_lock(&stdin_lock);
    put_received(uart_rx);
    put_received(virtioconsole_rx);
    keyboard_poll(put_typed);
    smp_unlock(&stdin_lock);
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

// Timers are the main thread's, as the callbacks that they schedule.
static void poll_timers(void) {
    if (timers_left_ms() == 0 && mp_thread_is_main_thread()) {
        timers_waiting = false;
        soft_timer_handler();
    }
}

void mp_hal_poll(void) {
    mp_hal_poll_stdin();
    poll_timers();
    objlock_give_up();
    critical_raise_interrupt(true);
    mp_thread_end_if_asked();
    smp_relax();
}

static void tick_screen(void) {
    if (mp_thread_is_main_thread()) {
        smp_lock(&stdout_lock);
        screen_tick();
        smp_unlock(&stdout_lock);
    }
}

void mp_hal_vm_hook(void) {
    static uint64_t next_poll_ns;
    smp_this->vm_hook_countdown = VM_HOOK_JUMPS;
    objlock_give_up();
    if (!mp_thread_is_main_thread()) {
        mp_thread_end_if_asked();
        smp_poll();
        return;
    }
    uint64_t now_ns = clock_ns();
    if (now_ns >= next_poll_ns) {
        next_poll_ns = now_ns + VM_HOOK_POLL_NS;
        mp_hal_poll_stdin();
        poll_timers();
        tick_screen();
    }
    critical_raise_interrupt(false);
    smp_poll();
}

// Input of the virtio console that comes after the look ends the halt, since
// interrupts are off before.
static void halt(void) {
    bool enabled = cpu_irq_disable();
    bool full = ringbuf_free(&stdin_ringbuf) == 0;
    if (full || !virtioconsole_rx_interrupt(true)) {
        irq_wait();
    }
    if (!full) {
        virtioconsole_rx_interrupt(false);
        irq_take_pending();
    }
    cpu_irq_restore(enabled);
}

void mp_hal_wait(mp_int_t timeout_ms) {
    tick_screen();
    bool long_enough = timeout_ms < 0 || timeout_ms >= IRQ_TICK_MS;
    if (long_enough && !mp_thread_is_main_thread()) {
        smp_wait(IRQ_TICK_MS);
    } else if (long_enough && timers_left_ms() >= IRQ_TICK_MS) {
        halt();
    } else {
        smp_relax();
    }
}

static int get_typed(void) {
    smp_lock(&stdin_lock);
    int c = ringbuf_get(&stdin_ringbuf);
    smp_unlock(&stdin_lock);
    return c;
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
        int c = get_typed();
        if (c == -1) {
            mp_hal_poll_stdin();
            c = get_typed();
        }
        if (c != -1) {
            return c;
        }
        mp_event_wait_indefinite();
    }
}

mp_uint_t mp_hal_stdout_tx_strn(const char *str, size_t len) {
    smp_lock(&stdout_lock);
    uart_tx_strn(str, len);
    virtioconsole_tx_strn(str, len);
    screen_write(str, len);
    smp_unlock(&stdout_lock);
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
        smp_relax();
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
