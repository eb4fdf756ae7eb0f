/* A stack of bidirectional LSTMs on one CPU core: what `lstm.py` computes, in one pass per sentence block.
 *
 * Built by `kernel.py` with HIDDEN and LANES given.
 * Blocks of BLOCK sentences run through all their steps while their gates are in the first cache;
 * every model's sums are taken in the same order whatever stack it is in, so its results do not
 * depend on its companions to the last bit.
 *
 * Notation: G stacks, S sentences, L tokens, V token types without padding, H = HIDDEN.
 *   table     (G, V, 2, 4H)     gate inputs, gates in the order i, f, g, o; token V pads
 *   recurrent (G, 2, H, 4H)
 *   tokens    (G, S, L)         int32
 *   features  (G, S, L, 2, H)   hidden states
 *   gates     (G, 2, S, L, 4H)  after their non-linearity
 *   cells     (G, 2, S, L, 2H)  c beside tanh(c)
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "real.h"

#define H HIDDEN
#define GATES (4 * HIDDEN)
#define BLOCK 8
#define CLOSED ((REAL)-1e4)

typedef REAL vec __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL))));
typedef struct { long stacks, sentences, length, types; } shape;

/* out (BLOCK, outer) += in (BLOCK, inner) @ matrix (inner, outer). */
static inline void add_product(REAL *restrict out, const REAL *restrict in,
                               const REAL *restrict matrix, int inner, int outer)
{
    for (int j = 0; j < outer; j += LANES) {
        vec sum[BLOCK];
        for (int b = 0; b < BLOCK; b++) sum[b] = *(vec *)(out + b * outer + j);
        for (int k = 0; k < inner; k++) {
            vec row = *(const vec *)(matrix + (long)k * outer + j);
            for (int b = 0; b < BLOCK; b++) sum[b] += in[b * inner + k] * row;
        }
        for (int b = 0; b < BLOCK; b++) *(vec *)(out + b * outer + j) = sum[b];
    }
}

/* Which sentences of which stack and direction a block holds, and the tokens of its longest. */
typedef struct { long stack, direction, first, count, length; } block;

static inline long at(shape n, block k, long b, long t)  /* place among (G, 2, S, L) */
{
    return ((k.stack * 2 + k.direction) * n.sentences + k.first + b) * n.length + t;
}

static inline long out_at(shape n, block k, long b, long t)  /* place among (G, S, L, 2) */
{
    return ((k.stack * n.sentences + k.first + b) * n.length + t) * 2 + k.direction;
}

static inline long token_at(shape n, block k, long b, long t, const int32_t *tokens)
{
    if (b >= k.count) return n.types;
    return tokens[(k.stack * n.sentences + k.first + b) * n.length + t];
}

static block make_block(shape n, long r, long first, const int32_t *tokens)
{
    long left = n.sentences - first;
    block k = {r / 2, r % 2, first, left < BLOCK ? left : BLOCK, 0};
    for (long b = 0; b < k.count; b++)
        for (long t = n.length - 1; t >= k.length; t--)
            if (token_at(n, k, b, t, tokens) < n.types) k.length = t + 1;
    return k;
}

/* Place in the sentence after `step` steps in the block's direction. */
static inline long place_at(block k, long step) { return k.direction ? k.length - 1 - step : step; }

static void load_gates(REAL (*open)[GATES], shape n, block k, long t, const REAL *table,
                       const int32_t *tokens)
{
    for (int b = 0; b < BLOCK; b++) {
        long token = token_at(n, k, b, t, tokens);
        if (token < n.types) {
            const REAL *row = table + ((k.stack * n.types + token) * 2 + k.direction) * GATES;
            memcpy(open[b], row, sizeof(open[b]));
        } else {
            for (int j = 0; j < GATES; j++) open[b][j] = j < 2 * H ? CLOSED : 0;
        }
    }
}

static inline void forward_cell(REAL *restrict open, REAL *restrict cell, REAL *restrict squashed,
                                REAL *restrict state)
{
    for (int j = 0; j < H; j++) {
        REAL into = sigmoid(open[j]), keep = sigmoid(open[H + j]);
        REAL candidate = 2 * sigmoid(2 * open[2 * H + j]) - 1, out = sigmoid(open[3 * H + j]);
        open[j] = into, open[H + j] = keep, open[2 * H + j] = candidate, open[3 * H + j] = out;
        cell[j] = keep * cell[j] + into * candidate;
        squashed[j] = 2 * sigmoid(2 * cell[j]) - 1;
        state[j] = out * squashed[j];
    }
}

void bilstm_forward(const shape *given, const REAL *table, const REAL *recurrent, const int32_t *tokens,
             REAL *features, REAL *gates, REAL *cells)
{
    shape n = *given;
    for (long r = 0; r < 2 * n.stacks; r++)
        for (long first = 0; first < n.sentences; first += BLOCK) {
            block k = make_block(n, r, first, tokens);
            REAL open[BLOCK][GATES], cell[BLOCK][H] = {0}, squashed[BLOCK][H], state[BLOCK][H] = {0};
            for (long step = 0; step < k.length; step++) {
                long t = place_at(k, step);
                load_gates(open, n, k, t, table, tokens);
                add_product(open[0], state[0], recurrent + r * H * GATES, H, GATES);
                for (int b = 0; b < BLOCK; b++)
                    forward_cell(open[b], cell[b], squashed[b], state[b]);
                for (long b = 0; b < k.count; b++) {
                    long place = at(n, k, b, t);
                    memcpy(features + out_at(n, k, b, t) * H, state[b], sizeof(state[b]));
                    memcpy(gates + place * GATES, open[b], sizeof(open[b]));
                    memcpy(cells + place * 2 * H, cell[b], sizeof(cell[b]));
                    memcpy(cells + place * 2 * H + H, squashed[b], sizeof(squashed[b]));
                }
            }
            for (long b = 0; b < k.count; b++)
                for (long t = k.length; t < n.length; t++)
                    memset(features + out_at(n, k, b, t) * H, 0, H * sizeof(REAL));
        }
}

/* From gates to the gradient of their inputs; the flow of the cell moves on to the step before. */
static inline void backward_cell(REAL *restrict gates, const REAL *restrict cells,
                                 const REAL *restrict earlier, const REAL *restrict to_state,
                                 REAL *restrict to_cell)
{
    for (int j = 0; j < H; j++) {
        REAL into = gates[j], keep = gates[H + j], candidate = gates[2 * H + j];
        REAL out = gates[3 * H + j], squashed = cells[H + j];
        REAL flow = to_cell[j] + to_state[j] * out * (1 - squashed * squashed);
        gates[j] = flow * candidate * into * (1 - into);
        gates[H + j] = flow * earlier[j] * keep * (1 - keep);
        gates[2 * H + j] = flow * into * (1 - candidate * candidate);
        gates[3 * H + j] = to_state[j] * squashed * out * (1 - out);
        to_cell[j] = flow * keep;
    }
}

static void backward_steps(shape n, block k, const REAL *back, const REAL *outer, REAL *gates,
                           const REAL *cells)
{
    static const REAL nothing[H];
    REAL to_gates[BLOCK][GATES] = {0}, to_cell[BLOCK][H] = {0}, to_state[BLOCK][H] = {0};
    for (long step = k.length - 1; step >= 0; step--) {
        long t = place_at(k, step), before = place_at(k, step - 1);
        for (long b = 0; b < k.count; b++)
            memcpy(to_state[b], outer + out_at(n, k, b, t) * H, sizeof(to_state[b]));
        add_product(to_state[0], to_gates[0], back, GATES, H);
        for (long b = 0; b < k.count; b++) {
            REAL *own = gates + at(n, k, b, t) * GATES;
            const REAL *earlier = step ? cells + at(n, k, b, before) * 2 * H : nothing;
            backward_cell(own, cells + at(n, k, b, t) * 2 * H, earlier, to_state[b], to_cell[b]);
            memcpy(to_gates[b], own, sizeof(to_gates[b]));
        }
    }
}

#define ROWS 4  /* of the recurrent matrix, whose sums stay in registers */

static void add_outer_products(shape n, block k, const REAL *features, const REAL *gates,
                               REAL *to_recurrent)
{
    for (int row = 0; row < H; row += ROWS)
        for (int j = 0; j < GATES; j += LANES) {
            int rows = H - row < ROWS ? H - row : ROWS;
            vec sum[ROWS] = {0};
            for (long b = 0; b < k.count; b++)
                for (long step = 1; step < k.length; step++) {
                    long t = place_at(k, step), before = place_at(k, step - 1);
                    const REAL *state = features + out_at(n, k, b, before) * H + row;
                    vec gate = *(const vec *)(gates + at(n, k, b, t) * GATES + j);
                    if (rows == ROWS)
                        for (int i = 0; i < ROWS; i++) sum[i] += state[i] * gate;
                    else
                        for (int i = 0; i < rows; i++) sum[i] += state[i] * gate;
                }
            for (int i = 0; i < rows; i++) *(vec *)(to_recurrent + (row + i) * GATES + j) += sum[i];
        }
}

static void add_rows(shape n, block k, const int32_t *tokens, const REAL *gates, REAL *to_table)
{
    for (long b = 0; b < k.count; b++)
        for (long t = 0; t < k.length; t++) {
            long token = token_at(n, k, b, t, tokens);
            if (token >= n.types) continue;
            REAL *row = to_table + ((k.stack * n.types + token) * 2 + k.direction) * GATES;
            const REAL *own = gates + at(n, k, b, t) * GATES;
            for (int j = 0; j < GATES; j++) row[j] += own[j];
        }
}

/* Gates are overwritten by the gradients of their inputs. */
void bilstm_backward(const shape *given, const REAL *recurrent, const int32_t *tokens, const REAL *features,
              REAL *gates, const REAL *cells, const REAL *outer, REAL *to_table, REAL *to_recurrent)
{
    shape n = *given;
    REAL *back = malloc(GATES * H * sizeof(REAL));
    for (long r = 0; r < 2 * n.stacks; r++) {
        if (r % 2 == 0)
            memset(to_table + r * n.types * GATES, 0, 2 * n.types * GATES * sizeof(REAL));
        memset(to_recurrent + r * H * GATES, 0, H * GATES * sizeof(REAL));
        for (int i = 0; i < H; i++)
            for (int j = 0; j < GATES; j++) back[j * H + i] = recurrent[(r * H + i) * GATES + j];
        for (long first = 0; first < n.sentences; first += BLOCK) {
            block k = make_block(n, r, first, tokens);
            backward_steps(n, k, back, outer, gates, cells);
            add_outer_products(n, k, features, gates, to_recurrent + r * H * GATES);
            add_rows(n, k, tokens, gates, to_table);
        }
    }
    free(back);
}
