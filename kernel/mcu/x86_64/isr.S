// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Exception entry points.  Each completes a fault_frame_t (exception.h) on the
// stack and calls exception_handler(), which may change it before it is loaded
// again.  Stack on entry: Intel SDM volume 3, 7.14.2.

#include "exception.h"
#include "pic.h"

// The x87 and SSE registers (SDM volume 1, 10.5.1).
#define FXSAVE_SIZE 512

    .section .text.isr, "ax"

// Vectors for which the processor itself pushes an error code (SDM volume 3,
// table 7-1); the others get a zero in its place.
#define HAS_ERROR_CODE(n) \
    ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21 || (n) == 29 || (n) == 30)

    .macro PUSH_REGISTERS
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro POP_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    .endm

    .altmacro
    .macro ISR_STUB n
isr_exception_\n:
    .if !HAS_ERROR_CODE(\n)
    pushq $0
    .endif
    pushq $\n
    jmp isr_common
    .endm

    .set vector, 0
    .rept EXCEPTION_VECTORS
    ISR_STUB %vector
    .set vector, vector + 1
    .endr

isr_common:
    PUSH_REGISTERS
    cld
    movq %rsp, %rdi
    // The processor aligned the stack to 16 before it pushed 5 words; 17 more follow.
    call exception_handler
    POP_REGISTERS
    addq $16, %rsp
    iretq

// An interrupt has only to end the halt: it is counted and acknowledged.
    .globl isr_irq
isr_irq:
    pushq %rax
    incl irq_count(%rip)
    movb $PIC_END_OF_INTERRUPT, %al
    outb %al, $PIC1_COMMAND
    popq %rax
    iretq

// Another processor asks this one to stop or to flush: smp_interrupt(sp), with all
// registers on the stack, where the collector finds what they point to.
    .globl isr_smp
isr_smp:
    PUSH_REGISTERS
    cld
    movq %rsp, %rbp
    subq $FXSAVE_SIZE, %rsp
    andq $-16, %rsp
    fxsave64 (%rsp)
    movq %rsp, %rdi
    call smp_interrupt
    fxrstor64 (%rsp)
    movq %rbp, %rsp
    POP_REGISTERS
    iretq

// smp_answer_here(): smp_answer(sp), with the registers on the stack that the
// callers of a function keep values in (System V ABI, 3.2.1).
    .globl smp_answer_here
smp_answer_here:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    // Six words and the return address: 8 off a multiple of 16.
    subq $8, %rsp
    call smp_answer
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .globl isr_ignore
isr_ignore:
    iretq

    .section .rodata.isr, "a"
    .balign 8
    .globl isr_exception_table
    .macro ISR_ADDRESS n
    .quad isr_exception_\n
    .endm
isr_exception_table:
    .set vector, 0
    .rept EXCEPTION_VECTORS
    ISR_ADDRESS %vector
    .set vector, vector + 1
    .endr

    .section .note.GNU-stack, "", @progbits
