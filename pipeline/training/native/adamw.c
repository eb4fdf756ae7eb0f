/* One AdamW step of every model, in one pass over parameters and moments.
 *
 * Notation: B models, P parameters of each; scales (B, 2) hold -rate / (1 - beta1^t) and
 * 1 / sqrt(1 - beta2^t) at each model's own step t; keep = 1 - rate * decay.
 */
#include "real.h"

typedef struct { long models, parameters; } shape;

void adamw(const shape *given, REAL *restrict flat, const REAL *restrict gradient, REAL *restrict first,
           REAL *restrict second, const REAL *scales, const REAL *constants)
{
    shape n = *given;
    REAL beta1 = constants[0], beta2 = constants[1], epsilon = constants[2], keep = constants[3];
    for (long b = 0; b < n.models; b++) {
        REAL rate = scales[2 * b], spread = scales[2 * b + 1];
        for (long i = b * n.parameters; i < (b + 1) * n.parameters; i++) {
            first[i] += (1 - beta1) * (gradient[i] - first[i]);
            second[i] = beta2 * second[i] + (1 - beta2) * gradient[i] * gradient[i];
            flat[i] = keep * flat[i] + rate * first[i] / (SQRT(second[i]) * spread + epsilon);
        }
    }
}
