// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MCU_X86_64_SMP_VECTOR_H
#define KERNEL_MCU_X86_64_SMP_VECTOR_H

// The interrupt by which processors ask one another to stop and to flush, and
// the one of the local APIC's timer and of devices' messages, which only ends a halt.
#define SMP_VECTOR 0xf0

#endif // KERNEL_MCU_X86_64_SMP_VECTOR_H
