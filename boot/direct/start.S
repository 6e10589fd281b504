// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The first instructions: a Multiboot header for QEMU's -kernel, the step from 32-bit protected mode without paging
// into long mode, and the call of direct_main().
//
// Multiboot Specification 0.6.96, sections 3.1.1 (header) and 3.2 (machine state).

#include "cpu.h"
#include "serial.h"

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_PAGE_ALIGN_MODULES (1 << 0)
#define MULTIBOOT_WANT_MEMORY_MAP (1 << 1)
#define MULTIBOOT_FLAGS (MULTIBOOT_PAGE_ALIGN_MODULES | MULTIBOOT_WANT_MEMORY_MAP)

// Intel SDM volume 3A, sections 2.5 (control registers), 2.2.1 (EFER) and 4.5 (4-level paging).
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CPUID_EXTENDED 0x80000000
#define CPUID_EXTENDED_FEATURES 0x80000001
#define CPUID_EDX_LONG_MODE (1 << 29)
#define PAGE_PRESENT_WRITABLE 0x003
#define PAGE_LARGE 0x083
#define PAGE_2M 0x200000

#define EARLY_GIB 4         // what the early page tables map, identically and at the start of the HHDM
#define EARLY_STACK 0x4000
#define HHDM_SLOT 256       // HHDM_OFFSET in direct.h is slot 256 of the top-level table

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_HEADER_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)

    .text
    .code32
    .global start
start:
    cli
    cld
    mov %eax, %esi              // the Multiboot magic; %ebx holds the information's address

    xor %eax, %eax
    mov $bss_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    shr $2, %ecx
    rep stosl
    mov $early_stack_top, %esp

    push %ebx
    mov $CPUID_EXTENDED, %eax
    cpuid
    cmp $CPUID_EXTENDED_FEATURES, %eax
    jb no_long_mode
    mov $CPUID_EXTENDED_FEATURES, %eax
    cpuid
    test $CPUID_EDX_LONG_MODE, %edx
    jz no_long_mode
    pop %ebx

    // Two top-level slots share one lower table: code linked at 1 MiB keeps running after paging is on, and again in
    // the HHDM when handover() leaves the identity mapping.
    movl $early_pdpt + PAGE_PRESENT_WRITABLE, early_pml4
    movl $early_pdpt + PAGE_PRESENT_WRITABLE, early_pml4 + HHDM_SLOT * 8
    mov $early_pds + PAGE_PRESENT_WRITABLE, %eax
    xor %ecx, %ecx
1:  mov %eax, early_pdpt(, %ecx, 8)
    add $4096, %eax
    inc %ecx
    cmp $EARLY_GIB, %ecx
    jne 1b
    mov $PAGE_LARGE, %eax
    xor %ecx, %ecx
2:  mov %eax, early_pds(, %ecx, 8)
    add $PAGE_2M, %eax
    inc %ecx
    cmp $EARLY_GIB * 512, %ecx
    jne 2b

    mov $early_pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    lgdt early_gdtr
    ljmp $early_code - early_gdt, $start64

no_long_mode:
    mov $no_long_mode_line, %esi
1:  lodsb
    test %al, %al
    jz 3f
    mov %al, %ah
    mov $COM1_LINE_STATUS, %dx
    mov $0x10000, %ecx
2:  in %dx, %al
    test $STATUS_TRANSMITTER_EMPTY, %al
    loopz 2b
    mov %ah, %al
    mov $COM1, %dx
    out %al, %dx
    jmp 1b
3:  mov $EXIT_LOADER, %al
    out %al, $DEBUG_EXIT
4:  hlt
    jmp 4b

    .code64
start64:
    mov $early_data - early_gdt, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $early_stack_top, %rsp
    mov %esi, %edi
    mov %ebx, %esi
    call direct_main
    ud2

    .section .rodata
no_long_mode_line:
    .asciz "direct: this processor has no long mode\r\n"

    .balign 8
early_gdt:
    .quad 0
early_code:
    .quad 0x00af9a000000ffff
early_data:
    .quad 0x00cf92000000ffff
early_gdt_end:
early_gdtr:
    .word early_gdt_end - early_gdt - 1
    .long early_gdt

    .bss
    .balign 4096
    .global early_pml4
early_pml4:
    .skip 4096
early_pdpt:
    .skip 4096
early_pds:
    .skip EARLY_GIB * 4096
    .skip EARLY_STACK
early_stack_top:

    .section .note.GNU-stack, "", @progbits
