// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where a further processor starts: in real mode, at the first byte of a page
// below 1 MiB, which processors.py copies this to and maps 1:1.  It takes the
// boot processor's mode and page tables and enters C on a stack of its own.
//
// Sources: Intel SDM volume 3, chapter "Processor Management and Initialization":
// "MP Initialization Protocol Algorithm" and "Initializing IA-32e Mode".

#define MSR_EFER 0xc0000080
#define TRAMPOLINE_CODE 0x08

// Real mode's DS starts at the page, so a label's offset in it is its address.
#define OFFSET(label) (label - smp_trampoline_start)

    .section .rodata.trampoline, "a"
    .balign 16
    .globl smp_trampoline_start
smp_trampoline_start:
    .code16
    jmp begin

// Filled in by processors.py, which has these offsets.
    .balign 8
cr0:      .long 0
cr3:      .long 0
cr4:      .long 0
efer:     .long 0
stack:    .quad 0
entry:    .quad 0
argument: .quad 0

gdt:
    .quad 0
    .quad 0x00af9b000000ffff
gdtr:
    .word . - gdt - 1
    .long 0
far_pointer:
    .long 0
    .word TRAMPOLINE_CODE

begin:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %ebx, %ebx
    movw %ax, %bx
    shll $4, %ebx
    leal OFFSET(gdt)(%ebx), %eax
    movl %eax, OFFSET(gdtr) + 2
    leal OFFSET(long_mode)(%ebx), %eax
    movl %eax, OFFSET(far_pointer)
    lgdtl OFFSET(gdtr)
    movl OFFSET(cr4), %eax
    movl %eax, %cr4
    movl OFFSET(cr3), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    movl OFFSET(efer), %eax
    xorl %edx, %edx
    wrmsr
    movl OFFSET(cr0), %eax
    movl %eax, %cr0
    ljmpl *OFFSET(far_pointer)

    .code64
long_mode:
    movl %ebx, %ebx
    movq OFFSET(stack)(%rbx), %rsp
    movq OFFSET(argument)(%rbx), %rdi
    xorl %ebp, %ebp
    movq OFFSET(entry)(%rbx), %rax
    // C expects the stack 8 off a multiple of 16, as after a call.
    call *%rax
    ud2

    .globl smp_trampoline_end
smp_trampoline_end:

    .section .note.GNU-stack, "", @progbits
