// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The processor's square root, in place of lib/libm_dbl/sqrt.c.

#include <math.h>

double sqrt(double x) {
    double root;
    __asm__ ("sqrtsd %1, %0" : "=x" (root) : "x" (x));
    return root;
}
