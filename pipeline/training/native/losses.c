/* Cross-entropy of many small label sets, with its gradient, in one pass.
 *
 * Notation: R rows (model and task), N tokens of a row, K labels.
 *   logits   (R, N, K)   -inf where a task lacks a label
 *   labels   (R, N)      int16, -1 where a token does not count
 *   gradient (R, N, K)   of each row's sum
 *   sums     (R)         nats
 *   counts   (R)         labelled tokens
 */
#include "real.h"

#define GROUP 16  /* tokens handled side by side */

typedef struct { long rows, tokens, labels; } shape;

/* Logits of a group, label by label, become probabilities; with the highest logit and the sum of
 * exponentials of every token. */
static void soften(REAL (*restrict z)[GROUP], long labels, REAL *restrict highest, REAL *restrict total)
{
    for (int i = 0; i < GROUP; i++) highest[i] = z[0][i], total[i] = 0;
    for (long k = 1; k < labels; k++)
        for (int i = 0; i < GROUP; i++) highest[i] = z[k][i] > highest[i] ? z[k][i] : highest[i];
    for (long k = 0; k < labels; k++)
        for (int i = 0; i < GROUP; i++) {
            z[k][i] = exponential(z[k][i] - highest[i]);
            total[i] += z[k][i];
        }
    for (long k = 0; k < labels; k++)
        for (int i = 0; i < GROUP; i++) z[k][i] /= total[i];
}

static REAL group_loss(long labels, long count, const REAL *logits, const int16_t *gold,
                       REAL *gradient)
{
    REAL z[labels][GROUP], highest[GROUP], total[GROUP], sum = 0;
    for (long k = 0; k < labels; k++)
        for (int i = 0; i < GROUP; i++) z[k][i] = i < count ? logits[i * labels + k] : 0;
    soften(z, labels, highest, total);
    for (long i = 0; i < count; i++) {
        int known = gold[i] >= 0;
        for (long k = 0; k < labels; k++) gradient[i * labels + k] = known ? z[k][i] : 0;
        if (!known) continue;
        gradient[i * labels + gold[i]] -= 1;
        sum += LOG(total[i]) + highest[i] - logits[i * labels + gold[i]];
    }
    return sum;
}

void token_losses(const shape *given, const REAL *logits, const int16_t *gold, REAL *gradient, REAL *sums,
                  int64_t *counts)
{
    shape n = *given;
    for (long r = 0; r < n.rows; r++) {
        sums[r] = 0, counts[r] = 0;
        for (long first = 0; first < n.tokens; first += GROUP) {
            long place = r * n.tokens + first, left = n.tokens - first;
            long count = left < GROUP ? left : GROUP;
            sums[r] += group_loss(n.labels, count, logits + place * n.labels, gold + place,
                                  gradient + place * n.labels);
            for (long i = 0; i < count; i++) counts[r] += gold[place + i] >= 0;
        }
    }
}
