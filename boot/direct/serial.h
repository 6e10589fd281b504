// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The first serial port, a 16550, and the exit code of a boot that failed.  For start.S too.

#ifndef PFM_DIRECT_SERIAL_H
#define PFM_DIRECT_SERIAL_H

#define COM1 0x3f8
#define COM1_LINE_STATUS (COM1 + 5)
#define STATUS_TRANSMITTER_EMPTY 0x20

// QEMU's isa-debug-exit: the process ends with (code << 1) | 1.
#define DEBUG_EXIT 0xf4
#define EXIT_LOADER 4

#endif // PFM_DIRECT_SERIAL_H
