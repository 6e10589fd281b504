// SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef KERNEL_MAIN_H
#define KERNEL_MAIN_H

#include <stdbool.h>

// The numbers of machine.reset_cause(), as on upstream's ports.
#define RESET_CAUSE_POWER_ON 1
#define RESET_CAUSE_SOFT     5

// Why the interpreter was started last.
int main_reset_cause(void);

// Whether boot.py or a main.py has ended by an exception since then.
bool main_program_raised(void);

#endif // KERNEL_MAIN_H
