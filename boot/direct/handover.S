// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The last instructions: the processor's state as "Machine State at Entry" of the protocol specifies, then the jump to
// the kernel.

#include "cpu.h"

#define HHDM_OFFSET 0xffff800000000000 // as in direct.h

// Offsets into struct handover, checked in direct.h.
#define ROOT_PHYS 0
#define STACK_VIRT 8
#define ENTRY_VIRT 16
#define EFER 24
#define DESCRIPTORS_VIRT 32

// Offsets into struct descriptors, checked in descriptors.c.
#define GDTR 0
#define IDTR 16

#define CODE_64 0x28
#define DATA_64 0x30
#define NO_TASK 0x38

// Intel SDM volume 3A, section 2.5.
#define CR0_PE_ET_WP_PG 0x80010011
#define CR4_PAE 0x20
#define RFLAGS_CLEAR 0x2

    .text
    .code64
    .global handover
handover:
    // The identity mapping is about to go, so continue in the HHDM, where this code is mapped as well.
    movabs $HHDM_OFFSET, %r15
    lea 1f(%rip), %rax
    add %r15, %rax
    jmp *%rax
1:
    mov ROOT_PHYS(%rdi), %rbx
    mov STACK_VIRT(%rdi), %rsp
    mov ENTRY_VIRT(%rdi), %rbp
    mov EFER(%rdi), %rax
    mov DESCRIPTORS_VIRT(%rdi), %rsi

    mov $MSR_EFER, %ecx
    xor %edx, %edx
    wrmsr
    mov $CR4_PAE, %eax
    mov %rax, %cr4
    mov $CR0_PE_ET_WP_PG, %eax
    mov %rax, %cr0

    movq $0, (%rbx, %r15)
    mov %rbx, %cr3

    lgdt GDTR(%rsi)
    lidt IDTR(%rsi)
    lea 2f(%rip), %rax
    pushq $CODE_64
    push %rax
    lretq
2:
    mov $DATA_64, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $NO_TASK, %eax
    ltr %ax
    xor %eax, %eax
    lldt %ax

    push %rbp
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    // No register is left for the entry point, and no later instruction may touch a flag.
    pushq $RFLAGS_CLEAR
    popfq
    ret

    .section .note.GNU-stack, "", @progbits
