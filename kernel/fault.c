// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a processor exception becomes.  A bad data access by kernel code or by
// compiled Python raises kernel.AccessFault in the script that made it, a division
// by zero there raises ZeroDivisionError, and a stack overflow RuntimeError.  Every
// other exception is a defect of the kernel and ends it with a report.

#include "py/gc.h"
#include "py/mperrno.h"
#include "py/nlr.h"
#include "py/objexcept.h"
#include "py/objstr.h"
#include "py/runtime.h"

#include "console.h"
#include "cpu.h"
#include "critical.h"
#include "fault.h"
#include "image.h"
#include "power.h"
#include "pytrace.h"
#include "screen.h"
#include "smp.h"

MP_DEFINE_EXCEPTION(AccessFault, OSError)

// A Python exception can be raised where C could have raised one: below an
// nlr_push, on the processor's stack, in code that is not the collector's.
static bool can_raise(const fault_t *fault) {
    return image_is_code(fault->pc)
           && image_within(fault->sp, smp_this->stack_guard, smp_this->stack_top)
           && MP_STATE_THREAD(nlr_top) != NULL
           && !(MP_STATE_THREAD(gc_lock_depth) & GC_COLLECT_FLAG);
}

static bool is_stack_overflow(const fault_t *fault) {
    return image_within(fault->address_virt, smp_this->stack_guard, smp_this->stack_bottom);
}

// Raises AccessFault(EFAULT, "ACCESS of vADDRESS: CAUSE", address).
NORETURN static void raise_access_fault(uintptr_t address_virt, const char *access, const char *cause) {
    critical_abandon();
    vstr_t vstr;
    vstr_init(&vstr, 64);
    vstr_printf(&vstr, "%s of v0x%016lx: %s", access, address_virt, cause);
    mp_obj_t args[] = {
        MP_OBJ_NEW_SMALL_INT(MP_EFAULT),
        mp_obj_new_str_from_vstr(&vstr),
        mp_obj_new_int_from_ull(address_virt),
    };
    nlr_raise(mp_obj_exception_make_new(&mp_type_AccessFault, MP_ARRAY_SIZE(args), 0, args));
}

// Runs on the processor's overflow_stack, which the collector must not take for the kernel's:
// while it is locked the exception is made in its emergency buffer.
NORETURN static void raise_stack_overflow(void) {
    critical_abandon();
    gc_lock();
    mp_obj_t exception = mp_obj_new_exception_arg1(&mp_type_RuntimeError, MP_OBJ_NEW_QSTR(MP_QSTR_maximum_space_recursion_space_depth_space_exceeded));
    gc_unlock();
    nlr_raise(exception);
}

NORETURN static void raise_division_error(void) {
    critical_abandon();
    mp_raise_msg(&mp_type_ZeroDivisionError, MP_ERROR_TEXT("divide by zero"));
}

static bool raise_in_python(const fault_t *fault, fault_frame_t *frame) {
    if ((fault->access == NULL && !fault->division) || !can_raise(fault)) {
        return false;
    }
    screen_abandon(fault->address_virt);
    if (fault->division) {
        fault_continue_in(frame, fault->sp, raise_division_error, 0, 0, 0);
    } else if (is_stack_overflow(fault)) {
        fault_continue_in(frame, (uintptr_t)smp_self()->overflow_stack + SMP_OVERFLOW_STACK_SIZE, raise_stack_overflow, 0, 0, 0);
    } else {
        fault_continue_in(frame, fault->sp, raise_access_fault,
            fault->address_virt, (uintptr_t)fault->access, (uintptr_t)fault->cause);
    }
    return true;
}

static void report(const fault_t *fault, const fault_frame_t *frame) {
    console_printf("\nfault: vector %u (%s), error code 0x%lx\n", fault->vector, fault->name, fault->error_code);
    if (smp_started > 1) {
        console_printf("on processor %u of %u\n", (unsigned int)smp_this->number, smp_started);
    }
    if (fault->access != NULL) {
        console_printf("%s of v0x%016lx: %s\n", fault->access, fault->address_virt, fault->cause);
    }
    if (is_stack_overflow(fault)) {
        console_printf("kernel stack overflow: v0x%016lx is below the stack\n", fault->address_virt);
    }
    fault_print_registers(&console_print, frame);
    pytrace_print();
}

void fault_handler(const fault_t *fault, fault_frame_t *frame) {
    static uint32_t reporting;
    if (reporting == smp_this->number) {
        power_exit(EXIT_FAULT);
    }
    if (!raise_in_python(fault, frame)) {
        uint32_t none = 0;
        while (!__atomic_compare_exchange_n(&reporting, &none, smp_this->number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            // Another processor reports, and then ends the machine.
            none = 0;
            cpu_pause();
        }
        smp_freeze();
        screen_abandon(fault->address_virt);
        screen_show(true);
        report(fault, frame);
        power_exit(EXIT_FAULT);
    }
}
