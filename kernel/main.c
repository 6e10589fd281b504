// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Start-up, the prompt, and soft resets.

#include "py/cstack.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "shared/runtime/pyexec.h"
#include "shared/runtime/softtimer.h"

#include "clock.h"
#include "cpu.h"
#include "critical.h"
#include "heap.h"
#include "image.h"
#include "irq.h"
#include "keyboard.h"
#include "main.h"
#include "panic.h"
#include "pytrace.h"
#include "requests.h"
#include "screen.h"
#include "smp.h"
#include "uart.h"

static int reset_cause = RESET_CAUSE_POWER_ON;

int main_reset_cause(void) {
    return reset_cause;
}

static bool program_raised;

bool main_program_raised(void) {
    return program_raised;
}

// False if the file has asked for a soft reset.
static bool run_file(const char *name) {
    int ret = pyexec_file_if_exists(name);
    program_raised |= ret == 0;
    return !(ret & PYEXEC_FORCED_EXIT);
}

// boot.py and main.py from the filesystem that _boot.py may have mounted, main.py
// of the program that came with the kernel, then the prompt.
static void run_until_soft_reset(void) {
    program_raised = false;
    if (!run_file("boot.py")) {
        return;
    }
    static const char *const programs[] = { "main.py", "/app/main.py" };
    for (size_t i = 0; i < MP_ARRAY_SIZE(programs); ++i) {
        if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !run_file(programs[i])) {
            return;
        }
    }
    for (;;) {
        int ret = pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl();
        if (ret != 0) {
            return;
        }
    }
}

int main(void) {
    cpu_init();
    uart_init();
    screen_init();
    requests_check();
    irq_init();
    keyboard_init();
    clock_init();
    irq_check();

    for (;;) {
        mp_thread_init();
        mp_cstack_init_with_top(kernel_stack_top, (size_t)(kernel_stack_top - kernel_stack_bottom));
        pytrace_reset(&smp_self()->trace);
        critical_init();
        native_code_reset();
        heap_init();
        mp_init();
        MP_STATE_PORT(os_environ) = MP_OBJ_NULL;
        readline_init0();

        pyexec_frozen_module("_boot.py", false);
        run_until_soft_reset();

        screen_show(true);
        mp_hal_stdout_tx_str("MPY: soft reboot\r\n");
        mp_thread_deinit();
        soft_timer_deinit();
        gc_sweep_all();
        mp_deinit();
        reset_cause = RESET_CAUSE_SOFT;
    }
}

void nlr_jump_fail(void *val) {
    panic("exception at %p raised where none is caught", val);
}
