// SPDX-License-Identifier: MIT OR Apache-2.0
//
// exp in the processor's extended precision, in place of lib/libm_dbl/exp.c,
// whose error of one unit in the last place scripts can see: exp(1) != e.

#include <math.h>

// Beyond these the result is infinite or zero in double precision.
#define EXP_OVERFLOW  710.0
#define EXP_UNDERFLOW (-746.0)

// ln 2 in two parts; the first has 32 bits, so its product with a whole number
// of up to 11 bits is exact.
#define LN2_HIGH 0x1.62e42fep-1L
#define LN2_LOW  0x1.f473de6af278ece6p-30L
#define LOG2_E   0x1.71547652b82fe178p+0L

double exp(double x) {
    if (isnan(x)) {
        return x;
    }
    if (x > EXP_OVERFLOW) {
        return HUGE_VAL;
    }
    if (x < EXP_UNDERFLOW) {
        return 0;
    }
    // exp(x) = 2**whole * 2**(rest * log2(e)), where rest = x - whole * ln 2.
    long double exponent = x * LOG2_E;
    long double whole = (int)(exponent + (x < 0 ? -0.5L : 0.5L));
    long double rest = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    long double result;
    __asm__ ("f2xm1" : "=t" (result) : "0" (rest * LOG2_E));
    result += 1;
    __asm__ ("fscale" : "=t" (result) : "0" (result), "u" (whole));
    return (double)result;
}
