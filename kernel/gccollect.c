// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A collection, with all other processors stopped from its start to its end: it
// begins with what any of them has in its registers and on its stack.

#include "py/gc.h"
#include "py/mpstate.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/softtimer.h"

#include "locked/gc.h"
#include "smp.h"

// The part of the stack that finalisers leave to C code without a check of the limit.
#define FINALISER_STACK_MARGIN (16 * 1024)

void gc_collect(void) {
    if (MP_STATE_THREAD(gc_lock_depth) & GC_COLLECT_FLAG) {
        // Called by a finaliser: its collection goes on, and would free what a second one has unmarked.
        return;
    }
    // The lock first, so that none is stopped who holds it.
    mp_thread_recursive_mutex_lock(&MP_STATE_MEM(gc_mutex), true);
    smp_stop();
    smp_empty_heap_stocks();
    gc_collect_start();
    smp_each_stopped(gc_collect_stopped);
    if (smp_running > 1) {
        gc_collect_root(smp_self()->map_found, MP_ARRAY_SIZE(smp_self()->map_found));
    }
    gc_helper_collect_regs_and_stack();
    soft_timer_gc_mark_all();
    // Finalisers close files at any depth of recursion, so they get more of the
    // stack.  One that reached its limit would raise again while its exception
    // is printed, uncaught, and leave the heap locked.
    mp_uint_t limit = MP_STATE_THREAD(stack_limit);
    MP_STATE_THREAD(stack_limit) = (mp_uint_t)(smp_this->stack_top - smp_this->stack_bottom) - FINALISER_STACK_MARGIN;
    gc_collect_end();
    MP_STATE_THREAD(stack_limit) = limit;
    smp_resume();
    mp_thread_recursive_mutex_unlock(&MP_STATE_MEM(gc_mutex));
}
