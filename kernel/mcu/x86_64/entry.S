// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The entry point.  Long mode and paging are on, interrupts off, the stack is
// the loader's.  From base revision 5 on no other bits of CR0, CR4 and EFER are
// set, so SSE is enabled here before any C code runs.
// Bits: Intel SDM volume 3, 2.5; SSE: volume 3, 14.1.

#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
// Without it a machine check shuts the processor down instead of being reported.
#define CR4_MCE (1 << 6)
#define CR4_OSFXSR (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
// All SIMD exceptions masked, round to nearest (volume 1, 10.2.3).
#define MXCSR_DEFAULT 0x1f80

    .section .text.entry, "ax"
    .globl _start
    .type _start, @function
_start:
    cli
    cld

    movq %cr0, %rax
    andq $~(CR0_EM | CR0_TS), %rax
    orq $(CR0_MP | CR0_NE | CR0_WP), %rax
    movq %rax, %cr0
    movq %cr4, %rax
    orq $(CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT), %rax
    movq %rax, %cr4

    leaq kernel_stack_top(%rip), %rsp
    xorl %ebp, %ebp

    fninit
    pushq $MXCSR_DEFAULT
    ldmxcsr (%rsp)
    addq $8, %rsp

    call main
    ud2
    .size _start, . - _start

    .section .note.GNU-stack, "", @progbits
