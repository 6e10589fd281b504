// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Several processors: the state of each, stopping all of them, and locks between
// them.  The GS base of a processor is the address of its state.
//
// A processor that runs Python can be stopped where its interrupts are on; off
// means that it holds a lock, and then it stops only where it waits.  So whoever
// waits for another processor calls smp_relax().
#ifndef KERNEL_MCU_X86_64_SMP_H
#define KERNEL_MCU_X86_64_SMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdt.h"
#include "pytrace.h"

// The processor's number is also its context's in pfm/lock.py, from 1 on.
#define SMP_BOOT_NUMBER 1
// One array of pointers; pfm's manager takes no more.
#define SMP_PROCESSORS_MAX 255

#define SMP_OVERFLOW_STACK_SIZE 8192

// Blocks of the Python heap that a processor takes at a time (heapstock.c).
#define SMP_HEAP_STOCK 128

// Bytes of the look-up cache of py/map.c (locked/map.c).
#define SMP_MAP_LOOKUP_CACHE 512

struct _mp_state_thread_t;

typedef enum {
    SMP_OFF,     // not started
    SMP_IDLE,    // waits for a thread, halted
    SMP_CLAIMED, // gets a thread
    SMP_RUNNING, // runs one
} smp_state_t;

typedef struct _smp_cpu_t smp_cpu_t;

struct _smp_cpu_t {
    // The compiler takes a load of address 0 as undefined, even one of %gs:0.
    uint64_t unused;
    struct _mp_state_thread_t *thread;
    smp_cpu_t *self;
    uint32_t number;
    uint32_t apic_id;
    // mphalport.c, modcritical.c
    int vm_hook_countdown;
    int critical_depth;
    // The last stop and the last flush that this processor has answered, and
    // where its stack ended when it stopped.
    uint32_t stopped;
    uint32_t flushed;
    uintptr_t stopped_sp;
    smp_state_t state;
    // To leave its thread: at the next jump of bytecode or wait; or at once.
    bool end;
    bool kill;
    unsigned int heap_stock_count;
    void *heap_stock[SMP_HEAP_STOCK];
    uint8_t map_lookup_cache[SMP_MAP_LOOKUP_CACHE];
    // A copy of the key and the value that were found last in a dict.
    void *map_found[2];
    // The innermost lock of a container (objlock.h).
    struct _objlock_t *objlock;
    // What it runs.
    void *(*entry)(void *);
    void *arg;
    // Nothing is mapped between the guard and the bottom.
    char *stack_guard;
    char *stack_bottom;
    char *stack_top;
    gdt_t gdt;
    pytrace_t trace;
    // The exception for a stack overflow is made on this stack.
    uint8_t overflow_stack[SMP_OVERFLOW_STACK_SIZE] __attribute__((aligned(16)));
};

#define smp_this ((smp_cpu_t __seg_gs *)0)

// A spin lock that its holder may take again.  Interrupts are off while it is held.
typedef struct _smp_lock_t {
    uint32_t owner;
    uint32_t depth;
    bool irq;
} smp_lock_t;

// How many processors have been started, this one included, and how many run Python.
extern unsigned int smp_started;
extern unsigned int smp_running;

static inline smp_cpu_t *smp_self(void) {
    return smp_this->self;
}

// The boot processor's state, for the first call of anything here.
void smp_init(void);

// Answers a stop and a flush.
void smp_poll(void);

// In a wait: the same, and pauses.
void smp_relax(void);

// Does nothing where one processor was started.  Where the world is stopped, the
// one that stopped it passes a lock that another holds.
void smp_lock_shared(smp_lock_t *lock);
void smp_unlock_shared(smp_lock_t *lock);

static inline void smp_lock(smp_lock_t *lock) {
    if (smp_started > 1) {
        smp_lock_shared(lock);
    }
}

static inline void smp_unlock(smp_lock_t *lock) {
    if (smp_started > 1) {
        smp_unlock_shared(lock);
    }
}

// Stops all other processors that run Python, until smp_resume().  Nests.
void smp_stop(void);
void smp_resume(void);

// Empties the stocks of blocks of the Python heap; the world is stopped.
void smp_empty_heap_stocks(void);

// Whether this processor has stopped the others.
bool smp_is_stopper(void);

// Calls scan for the stack of each processor that is stopped, and for what else it refers to.
void smp_each_stopped(void (*scan)(void **start, size_t count));

// Stops the others for good, without waiting for them: the machine is going to end.
void smp_freeze(void);

// Ends all threads but the caller's: between two jumps of bytecode, as Ctrl-C
// would; those that do not get there for a second, anywhere outside a section.
void smp_end_others(void);

// At such jumps and waits: whether this processor's thread is to end, and its end.
bool smp_is_end_asked(void);
void smp_leave_thread(void) __attribute__((noreturn));

// Leaves a translation of virt and the count - 1 pages after it in no processor's TLB.
void smp_flush(uintptr_t virt, size_t count);

// Runs entry(arg) on a processor that is idle and returns its number; 0 if none is.
unsigned int smp_run(void *(*entry)(void *), void *arg);

// Halts until an interrupt comes, at most for about ms milliseconds.
void smp_wait(unsigned int ms);

// Makes the state of a processor at cpu, in zeroed memory.
void smp_prepare(smp_cpu_t *cpu, uint32_t number, uint32_t apic_id, char *stack_guard, char *stack_bottom, char *stack_top);

// Counts a prepared processor once it has started; false if it has not.
bool smp_adopt(smp_cpu_t *cpu);

// Where a started processor enters C, on its own stack.
void smp_entry(smp_cpu_t *cpu);

// For isr.S: the interrupt by which one processor asks another to answer.
void smp_answer(uintptr_t sp);

#endif // KERNEL_MCU_X86_64_SMP_H
