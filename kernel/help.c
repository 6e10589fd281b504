// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What help() prints.

#include "py/builtin.h"

const char kernel_help_text[] =
    "MicroPython on the bare machine, with pfm, a manager of its physical memory.\n"
    "\n"
    "Five things to try:\n"
    "  PFM.chart()                               all memory by address, in characters\n"
    "  PFM.meminfo()                             how much of it is used by what\n"
    "  pfn = PFM.alloc(); PFM.describe(pfn)      take a frame of 4 KiB, look at it\n"
    "  PFM.free(pfn)                             give it back\n"
    "  PFM.identify(0x100000)                    what lies at an address\n"
    "\n"
    "help(PFM) lists its calls, help('modules') the modules, help(obj) what obj has.\n"
    "\n"
    "Keys:\n"
    "  Ctrl-C  interrupt the program             Tab     complete a name\n"
    "  Ctrl-D  soft reset, on an empty line      Ctrl-E  paste mode, on an empty line\n"
    "  Ctrl-A  raw mode, for programs such as mpremote; Ctrl-B ends it\n"
    "\n"
    "To leave: import machine; machine.poweroff()\n"
;
