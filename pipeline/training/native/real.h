/* REAL (float, or double where DOUBLE is defined) and an exponential that compilers vectorise. */
#ifndef REAL_H
#define REAL_H
#include <math.h>
#include <stdint.h>

#ifdef DOUBLE
typedef double REAL;
#define SQRT sqrt
#define LOG log
static inline REAL exponential(REAL x) { return exp(x); }
#else
typedef float REAL;
#define SQRT sqrtf
#define LOG logf
/* e^x = 2^n e^r with r in [-ln2/2, ln2/2]; the Taylor series to r^6 errs by less than 2e-7.
 * NaN passes through: comparisons are false for it. */
static inline REAL exponential(REAL x)
{
    x = x > 87.0f ? 87.0f : x;
    x = x < -87.0f ? -87.0f : x;
    REAL shifted = x * 1.44269504f + 12582912.0f;  /* rounds to n in the low bits */
    REAL n = shifted - 12582912.0f;
    REAL r = x - n * 0.693359375f + n * 2.12194440e-4f;
    REAL series = 1.0f + r * (1.0f + r * (0.5f + r * (1.6666667e-1f + r * (4.1666668e-2f
                  + r * (8.3333333e-3f + r * 1.3888889e-3f)))));
    union { REAL real; int32_t bits; } power;
    power.real = shifted;
    power.bits = (power.bits - 0x4B400000 + 127) << 23;
    return series * power.real;
}
#endif

static inline REAL sigmoid(REAL x) { return 1 / (1 + exponential(-x)); }
#endif
