/* Maps of 2x2: every output sees only 4 taps, and 9 products do for the 16.

   Along one axis y0 = w1 x0 + w2 x1, y1 = w0 x0 + w1 x1 is a 2x2 Toeplitz matrix, for which three
   products are enough (Karatsuba's identity, transposed):
       m0 = (x0 + x1) w1,  m1 = x1 (w2 - w1),  m2 = x0 (w0 - w1),   y0 = m0 + m1,  y1 = m0 + m2. */
#include "epilogue.h"

#define SPAN 3

INLINE void input_1d(vf *out, vf x0, vf x1) {
    out[0] = x0 + x1;
    out[1] = x1;
    out[2] = x0;
}

INLINE void input_vector(const conv *c, const float *x, float *v, int lanes) {
    vf d[2][2], half[2][SPAN], out[SPAN];
    const long product = c->v_product;
    UNROLL for (int i = 0; i < 4; i++) d[i / 2][i % 2] = vload_part(x + i * c->inputs, lanes);
    UNROLL for (int k = 0; k < 2; k++) input_1d(half[k], d[0][k], d[1][k]);
    UNROLL for (int r = 0; r < SPAN; r++) {
        input_1d(out, half[0][r], half[1][r]);
        UNROLL for (int k = 0; k < SPAN; k++, v += product) vstore(v, out[k]);
    }
}

static void pair_inputs(const conv *c, const float *x, float *v) {
    int ch = 0;
    for (; ch + VL <= c->inputs; ch += VL) input_vector(c, x + ch, v + ch, VL);
    if (ch < c->inputs) input_vector(c, x + ch, v + ch, c->inputs - ch);
}

static void pair_outputs(const conv *c, long patch, int panel, const float *m) {
    for (int v = 0; v < NR; v += VL) {
        const int column = panel * NR + v, lanes = c->outputs - column;
        if (lanes <= 0) break;
        vf half[2][SPAN], y[2][2];
        UNROLL for (int k = 0; k < SPAN; k++) {
            const vf first = vload(m + k * c->m_product + v);
            half[0][k] = first + vload(m + (SPAN + k) * c->m_product + v);
            half[1][k] = first + vload(m + (2 * SPAN + k) * c->m_product + v);
        }
        UNROLL for (int r = 0; r < 2; r++) {
            y[r][0] = half[r][0] + half[r][1];
            y[r][1] = half[r][0] + half[r][2];
        }
        sink s = sink_open(c, patch, column, lanes);
        if (c->pool) {
            sink_window(&s, 0, 0, y[0][0], y[0][1], y[1][0], y[1][1]);
            sink_show_nan(&s, y[0][0], y[0][1], y[1][0], y[1][1]);
        } else
            for (int i = 0; i < 4; i++) sink_single(&s, i / 2, i % 2, y[i / 2][i % 2]);
        sink_close(c, &s, patch, column);
    }
}

static void pair_deltas(const conv *c, long patch, float *s, float *dbias) {
    const int windows = c->window > 0;
    for (int column = 0; column < c->outputs; column += VL) {
        float *const at = s + column / NR * c->s_panel + column % NR;
        source d = source_open(c, patch, column, windows, c->outputs - column);
        vf y[2][2], half[2][SPAN], out[SPAN];
        if (c->pool) {
            const vi code = source_code(&d, 0, 0, windows);
            UNROLL for (int i = 0; i < 4; i++) y[i / 2][i % 2] = vkeep(code == i + 1, d.value);
        } else {
            for (int i = 0; i < 4; i++) {
                const vi code = source_code(&d, i / 2, i % 2, windows);
                y[i / 2][i % 2] = vkeep(code != 0, d.value);
            }
        }
        UNROLL for (int k = 0; k < 2; k++) {
            half[k][0] = y[0][k] + y[1][k];
            half[k][1] = y[0][k];
            half[k][2] = y[1][k];
        }
        UNROLL for (int r = 0; r < SPAN; r++) {
            out[0] = half[0][r] + half[1][r];
            out[1] = half[0][r];
            out[2] = half[1][r];
            UNROLL for (int k = 0; k < SPAN; k++) vstore(at + (r * SPAN + k) * c->s_product, out[k]);
        }
        source_close(&d, dbias, column, windows, 1);
    }
}

INLINE void weight_1d(vf *u, vf g0, vf g1, vf g2) {
    u[0] = g1;
    u[1] = g2 - g1;
    u[2] = g0 - g1;
}

INLINE void gradient_1d(vf *g, vf u0, vf u1, vf u2) {
    g[0] = u2;
    g[1] = u0 - u1 - u2;
    g[2] = u1;
}

static void pair_weights(const float *kernel, float *u, long product) {
    for (int v = 0; v < NR; v += VL) {
        vf half[3][SPAN], out[SPAN];
        UNROLL for (int k = 0; k < 3; k++)
            weight_1d(half[k], vload(kernel + k * NR + v), vload(kernel + (3 + k) * NR + v),
                      vload(kernel + (6 + k) * NR + v));
        UNROLL for (int r = 0; r < SPAN; r++) {
            weight_1d(out, half[0][r], half[1][r], half[2][r]);
            UNROLL for (int k = 0; k < SPAN; k++) vstore(u + (r * SPAN + k) * product + v, out[k]);
        }
    }
}

static void pair_gradients(const float *du, long product, float *kernel) {
    for (int v = 0; v < NR; v += VL) {
        vf half[SPAN][3], out[3];
        UNROLL for (int k = 0; k < SPAN; k++)
            gradient_1d(half[k], vload(du + k * product + v), vload(du + (SPAN + k) * product + v),
                        vload(du + (2 * SPAN + k) * product + v));
        UNROLL for (int r = 0; r < 3; r++) {
            gradient_1d(out, half[0][r], half[1][r], half[2][r]);
            UNROLL for (int k = 0; k < 3; k++) vstore(kernel + (r * 3 + k) * NR + v, out[k]);
        }
    }
}

const scheme scheme_pair = {.products = SPAN * SPAN,
                             .taps = 1,
                             .inputs = pair_inputs,
                             .outputs = pair_outputs,
                             .deltas = pair_deltas,
                             .weights = pair_weights,
                             .gradients = pair_gradients};
