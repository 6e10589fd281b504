// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Several processors.  One that runs Python is asked by an interrupt, or where it
// waits, to stop or to flush its TLB.  The order that makes both free of
// deadlock: whoever waits answers meanwhile.
//
// Source: Intel SDM volume 3, "Propagation of Paging-Structure Changes to Multiple
// Processors" (flushes).

#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "fault.h"
#include "idt.h"
#include "image.h"
#include "panic.h"
#include "smp.h"
#include "smp_vector.h"

#define MSR_GS_BASE     0xc0000101

// How long a processor may keep its interrupts off before it is taken for hung:
// walks over a large machine's zones take seconds.  It then gets an NMI, which
// makes it print a fault report and end the machine.
#define ANSWER_SECONDS  20

// How long a thread has to get to a jump of bytecode before it is ended anywhere.
#define END_SECONDS     1

// All SIMD exceptions masked, round to nearest (SDM volume 1, 10.2.3), as entry.S.
#define MXCSR_DEFAULT   0x1f80

unsigned int smp_started = 1;
unsigned int smp_running = 1;

static smp_cpu_t boot_cpu;
static smp_cpu_t *cpus[SMP_PROCESSORS_MAX] = { &boot_cpu };

// Odd while the world is stopped, by the holder of the lock.
static uint32_t stop_epoch;
static smp_lock_t stop_lock;
static uint32_t flush_epoch;

// In isr.S: saves the registers that the caller of a function may hold pointers
// in, and calls smp_answer().
void smp_answer_here(void);

static bool is_running(const smp_cpu_t *cpu) {
    return __atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) == SMP_RUNNING;
}

static void ask_others(void) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < smp_started; ++i) {
        if (cpus[i] != smp_self() && is_running(cpus[i])) {
            apic_send(cpus[i]->apic_id, ICR_FIXED | SMP_VECTOR);
        }
    }
}

bool smp_is_stopper(void) {
    return (stop_epoch & 1) && stop_lock.owner == smp_this->number;
}

static bool is_stop_wanted(void) {
    return (__atomic_load_n(&stop_epoch, __ATOMIC_ACQUIRE) & 1) && !smp_is_stopper();
}

static bool is_flush_wanted(const smp_cpu_t *self) {
    return __atomic_load_n(&flush_epoch, __ATOMIC_ACQUIRE) != self->flushed;
}

static void answer_flush(smp_cpu_t *self) {
    if (is_flush_wanted(self)) {
        uint32_t epoch = __atomic_load_n(&flush_epoch, __ATOMIC_ACQUIRE);
        cpu_write_cr3(cpu_read_cr3());
        __atomic_store_n(&self->flushed, epoch, __ATOMIC_RELEASE);
    }
}

static void end_thread(smp_cpu_t *self) {
    cpu_irq_disable();
    self->arg = NULL;
    __atomic_store_n(&self->state, SMP_IDLE, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&smp_running, 1, __ATOMIC_SEQ_CST);
}

// The only place where a further processor is without a thread.
__attribute__((noreturn)) static void idle(smp_cpu_t *self) {
    for (;;) {
        cpu_irq_disable();
        while (!is_running(self)) {
            // Interrupts are recognised after the instruction that follows sti.
            __asm__ volatile ("sti; hlt; cli" : : : "memory");
        }
        // What was flushed meanwhile was not flushed here.
        cpu_write_cr3(cpu_read_cr3());
        // Who stops the world may have seen this processor idle.
        smp_answer((uintptr_t)self->stack_top);
        cpu_irq_restore(true);
        self->entry(self->arg);
        end_thread(self);
    }
}

// Leaves whatever the processor was doing, and its stack.
__attribute__((noreturn, used)) static void leave_thread(smp_cpu_t *self) {
    end_thread(self);
    idle(self);
}

__attribute__((noreturn)) static void abandon_thread(smp_cpu_t *self) {
    cpu_irq_disable();
    __asm__ volatile (
        "movq %0, %%rsp\n"
        "xorl %%ebp, %%ebp\n"
        "call leave_thread\n"
        : : "r" (self->stack_top), "D" (self) : "memory");
    __builtin_unreachable();
}

bool smp_is_end_asked(void) {
    return smp_this->end && smp_this->critical_depth == 0;
}

void smp_leave_thread(void) {
    abandon_thread(smp_self());
}

// Interrupts are off.  The stack up from sp has all that the thread refers to.
void smp_answer(uintptr_t sp) {
    smp_cpu_t *self = smp_self();
    answer_flush(self);
    self->stopped_sp = sp;
    while (is_stop_wanted()) {
        __atomic_store_n(&self->stopped, stop_epoch, __ATOMIC_RELEASE);
        answer_flush(self);
        cpu_pause();
    }
}

// Only where interrupts were on: this processor holds no lock then.  One that has
// left its thread may find the request again, by an interrupt that was on its way.
static void leave_if_killed(void) {
    smp_cpu_t *self = smp_self();
    if (self->kill && is_running(self)) {
        abandon_thread(self);
    }
}

// Called by isr.S.
__attribute__((used)) void smp_interrupt(uintptr_t sp) {
    // First what another processor waits for.
    smp_answer(sp);
    apic_end_interrupt();
    leave_if_killed();
}

void smp_poll(void) {
    // Nobody asks this processor while it runs Python alone.
    if (smp_running > 1 && (is_stop_wanted() || is_flush_wanted(smp_self()))) {
        bool enabled = cpu_irq_disable();
        smp_answer_here();
        if (enabled) {
            leave_if_killed();
        }
        cpu_irq_restore(enabled);
    }
}

void smp_relax(void) {
    cpu_pause();
    smp_poll();
}

// Reports a processor that has not answered since the time start.
static void watch(const smp_cpu_t *cpu, uint64_t start, bool *reported) {
    uint64_t limit = clock_ticks_hz() * ANSWER_SECONDS;
    uint64_t waited = cpu_ticks() - start;
    if (waited > limit && !*reported) {
        *reported = true;
        smp_freeze();
        apic_send(cpu->apic_id, ICR_NMI);
    } else if (waited > 2 * limit) {
        panic("processor %u has not answered for %u s", (unsigned int)cpu->number, 2 * ANSWER_SECONDS);
    }
}

void smp_lock_shared(smp_lock_t *lock) {
    bool enabled = cpu_irq_disable();
    uint32_t number = smp_this->number;
    uint32_t owner = __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
    if (owner == number) {
        ++lock->depth;
        return;
    }
    uint32_t none = 0;
    while (!__atomic_compare_exchange_n(&lock->owner, &none, number, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        // Its holder is stopped, and will not release it before the world resumes.
        if (smp_is_stopper()) {
            return;
        }
        none = 0;
        smp_relax();
    }
    lock->depth = 1;
    lock->irq = enabled;
}

void smp_unlock_shared(smp_lock_t *lock) {
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != smp_this->number || --lock->depth > 0) {
        return;
    }
    bool enabled = lock->irq;
    __atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
    cpu_irq_restore(enabled);
}

void smp_stop(void) {
    if (smp_started == 1) {
        return;
    }
    smp_lock(&stop_lock);
    // Alone, nobody could start a thread meanwhile.
    if (stop_lock.depth > 1 || smp_running == 1) {
        return;
    }
    smp_cpu_t *self = smp_self();
    uint32_t epoch = __atomic_add_fetch(&stop_epoch, 1, __ATOMIC_SEQ_CST);
    ask_others();
    uint64_t start = cpu_ticks();
    for (unsigned int i = 0; i < smp_started; ++i) {
        bool reported = false;
        while (cpus[i] != self && is_running(cpus[i])
               && __atomic_load_n(&cpus[i]->stopped, __ATOMIC_ACQUIRE) != epoch) {
            answer_flush(self);
            cpu_pause();
            watch(cpus[i], start, &reported);
        }
    }
}

void smp_resume(void) {
    if (smp_started == 1) {
        return;
    }
    if (stop_lock.depth == 1 && stop_epoch & 1) {
        __atomic_add_fetch(&stop_epoch, 1, __ATOMIC_SEQ_CST);
    }
    smp_unlock(&stop_lock);
}

void smp_each_stopped(void (*scan)(void **start, size_t count)) {
    if (!smp_is_stopper()) {
        return;
    }
    for (unsigned int i = 0; i < smp_started; ++i) {
        smp_cpu_t *cpu = cpus[i];
        if (cpu == smp_self() || !is_running(cpu)) {
            continue;
        }
        // On another stack than its own it is about to raise an exception.
        uintptr_t low = cpu->stopped_sp;
        if (!image_within(low, cpu->stack_bottom, cpu->stack_top)) {
            low = (uintptr_t)cpu->stack_bottom;
        }
        scan((void **)low, ((uintptr_t)cpu->stack_top - low) / sizeof(void *));
        scan(&cpu->arg, 1);
        scan(cpu->map_found, 2);
    }
}

void smp_empty_heap_stocks(void) {
    for (unsigned int i = 0; i < smp_started; ++i) {
        __atomic_store_n(&cpus[i]->heap_stock_count, 0, __ATOMIC_RELAXED);
    }
}

void smp_freeze(void) {
    if (smp_started > 1) {
        cpu_irq_disable();
        stop_lock.owner = smp_this->number;
        if (!(stop_epoch & 1)) {
            __atomic_add_fetch(&stop_epoch, 1, __ATOMIC_SEQ_CST);
        }
        ask_others();
    }
}

void smp_end_others(void) {
    uint64_t start = cpu_ticks();
    bool reported = false;
    bool wait = true;
    while (smp_running > 1) {
        smp_cpu_t *other = NULL;
        if (!wait) {
            smp_stop();
        }
        for (unsigned int i = 0; i < smp_started; ++i) {
            if (cpus[i] != smp_self() && is_running(cpus[i])) {
                other = cpus[i];
                other->end = true;
                other->kill = !wait && other->critical_depth == 0;
            }
        }
        if (!wait) {
            smp_resume();
        }
        smp_relax();
        wait = cpu_ticks() - start < clock_ticks_hz() * END_SECONDS;
        if (other != NULL) {
            watch(other, start, &reported);
        }
    }
}

// Beyond this many pages, loading CR3 is cheaper than flushing each page.
#define FLUSH_PAGES_MAX 32
#define PAGE_SIZE 4096

void smp_flush(uintptr_t virt, size_t count) {
    bool enabled = cpu_irq_disable();
    if (count > FLUSH_PAGES_MAX) {
        cpu_write_cr3(cpu_read_cr3());
    } else {
        for (; count > 0; --count, virt += PAGE_SIZE) {
            cpu_invlpg(virt);
        }
    }
    // Idle processors flush before they run again.
    if (smp_running > 1) {
        smp_cpu_t *self = smp_self();
        uint32_t epoch = __atomic_add_fetch(&flush_epoch, 1, __ATOMIC_SEQ_CST);
        ask_others();
        uint64_t start = cpu_ticks();
        for (unsigned int i = 0; i < smp_started; ++i) {
            bool reported = false;
            while (cpus[i] != self && is_running(cpus[i])
                   && (int32_t)(__atomic_load_n(&cpus[i]->flushed, __ATOMIC_ACQUIRE) - epoch) < 0) {
                smp_relax();
                watch(cpus[i], start, &reported);
            }
        }
    }
    cpu_irq_restore(enabled);
}

unsigned int smp_run(void *(*entry)(void *), void *arg) {
    unsigned int number = 0;
    bool enabled = cpu_irq_disable();
    for (unsigned int i = 1; i < smp_started && number == 0; ++i) {
        smp_cpu_t *cpu = cpus[i];
        smp_state_t expected = SMP_IDLE;
        if (__atomic_compare_exchange_n(&cpu->state, &expected, SMP_CLAIMED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            cpu->entry = entry;
            cpu->arg = arg;
            cpu->critical_depth = 0;
            // Not when a thread ends, which may be before it is asked to.
            cpu->end = false;
            cpu->kill = false;
            pytrace_reset(&cpu->trace);
            cpu->objlock = NULL;
            __atomic_add_fetch(&smp_running, 1, __ATOMIC_SEQ_CST);
            __atomic_store_n(&cpu->state, SMP_RUNNING, __ATOMIC_SEQ_CST);
            apic_send(cpu->apic_id, ICR_FIXED | SMP_VECTOR);
            number = cpu->number;
        }
    }
    cpu_irq_restore(enabled);
    return number;
}

void smp_wait(unsigned int ms) {
    if (smp_started == 1 || !apic_halt(ms)) {
        cpu_pause();
    }
}

// Loads the descriptor tables, which zero GS, and then GS.
static void enter_state(smp_cpu_t *cpu) {
    gdt_init(&cpu->gdt);
    cpu_wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
    idt_load();
}

void smp_init(void) {
    smp_prepare(&boot_cpu, SMP_BOOT_NUMBER, 0, kernel_stack_guard, kernel_stack_bottom, kernel_stack_top);
    boot_cpu.state = SMP_RUNNING;
    idt_init();
    enter_state(&boot_cpu);
}

void smp_prepare(smp_cpu_t *cpu, uint32_t number, uint32_t apic_id, char *stack_guard, char *stack_bottom, char *stack_top) {
    cpu->self = cpu;
    cpu->number = number;
    cpu->apic_id = apic_id;
    cpu->stack_guard = stack_guard;
    cpu->stack_bottom = stack_bottom;
    cpu->stack_top = stack_top;
}

bool smp_adopt(smp_cpu_t *cpu) {
    if (__atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) != SMP_IDLE) {
        return false;
    }
    cpus[smp_started] = cpu;
    cpu->number = smp_started + 1;
    __atomic_add_fetch(&smp_started, 1, __ATOMIC_SEQ_CST);
    return true;
}

void smp_entry(smp_cpu_t *cpu) {
    enter_state(cpu);
    const uint32_t mxcsr = MXCSR_DEFAULT;
    __asm__ volatile ("fninit; ldmxcsr %0" : : "m" (mxcsr));
    apic_enable();
    __atomic_store_n(&cpu->state, SMP_IDLE, __ATOMIC_RELEASE);
    idle(cpu);
}
