/* Few input channels: direct convolution. V is the zero-padded input, and the 9 taps of all
   channels are the depth of a single product. */
#include "epilogue.h"

static void tap_inputs(const conv *c, const float *x, float *v) {
    const size_t line = (size_t)c->width * (size_t)c->inputs;
    memset(v, 0, sizeof(float) * (size_t)c->v_patch);
    for (int row = 0; row < c->height; row++)
        memcpy(v + (row + 1) * (line + 2 * (size_t)c->inputs) + c->inputs, x + row * line,
               sizeof(float) * line);
}

/* `m` neighbouring positions: three runs of `run` taps, `line` apart in V. */
INLINE void positions(const int m, const int run, long line, int step, const float *v,
                      const float *u, float *to) {
    vf sum[MR][NV];
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int k = 0; k < NV; k++) sum[r][k] = (vf){0};
    for (int tap_row = 0; tap_row < 3; tap_row++, v += line)
        UNROLL for (int t = 0; t < run; t++, u += NR) {
            vf right[NV];
            UNROLL for (int k = 0; k < NV; k++) right[k] = vload(u + k * VL);
            UNROLL for (int r = 0; r < m; r++) {
                const vf left = vset(v[r * step + t]);
                UNROLL for (int k = 0; k < NV; k++) sum[r][k] += left * right[k];
            }
        }
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int k = 0; k < NV; k++) vstore(to + r * NR + k * VL, sum[r][k]);
}

INLINE void lines(const conv *c, const float *v, const float *u, float *m, const int inputs) {
    const long line = (long)(c->width + 2) * inputs;
    const int height = c->height, width = c->width;
    for (int row = 0; row < height; row++, v += line) {
        int col = 0;
        for (; col + MR <= width; col += MR, m += MR * NR)
            positions(MR, 3 * inputs, line, inputs, v + col * inputs, u, m);
        for (; col + 4 <= width; col += 4, m += 4 * NR)
            positions(4, 3 * inputs, line, inputs, v + col * inputs, u, m);
        for (; col < width; col++, m += NR)
            positions(1, 3 * inputs, line, inputs, v + col * inputs, u, m);
    }
}

static void tap_multiply(const conv *c, const float *v, const float *u, float *m) {
    switch (c->inputs) { /* constants, so that the loops over taps are unrolled */
    case 1: lines(c, v, u, m, 1); break;
    case 2: lines(c, v, u, m, 2); break;
    case 3: lines(c, v, u, m, 3); break;
    case MAX_TAP_INPUTS: lines(c, v, u, m, MAX_TAP_INPUTS); break;
    }
}

INLINE void outputs_of_vector(const conv *c, long patch, int column, const float *m, const int pool,
                              const int lanes) {
    const int height = c->out_height, width = c->out_width;
    const long line = (long)c->width * NR;
    sink s = sink_open(c, patch, column, lanes);
    for (int row = 0; row < height; row++)
        for (int col = 0; col < width; col++) {
            const float *const at = pool ? m + 2 * row * line + 2 * col * NR : m + row * line + col * NR;
            if (pool) {
                const vf a0 = vload(at), a1 = vload(at + NR);
                const vf a2 = vload(at + line), a3 = vload(at + line + NR);
                sink_window(&s, row, col, a0, a1, a2, a3);
                sink_show_nan(&s, a0, a1, a2, a3);
            } else sink_single(&s, row, col, vload(at));
        }
    sink_close(c, &s, patch, column);
}

static void tap_outputs(const conv *c, long patch, int panel, const float *m) {
    for (int v = 0; v < NR; v += VL) {
        const int column = panel * NR + v, lanes = c->outputs - column;
        if (lanes >= VL && c->pool) outputs_of_vector(c, patch, column, m + v, 1, VL);
        else if (lanes >= VL) outputs_of_vector(c, patch, column, m + v, 0, VL);
        else if (lanes > 0) outputs_of_vector(c, patch, column, m + v, c->pool, lanes);
    }
}

/* Without windows the delta is the same number wherever there is one: it is multiplied in at the end. */
INLINE void accumulate_vector(const conv *c, long patch, int column, const float *v, float *du,
                              float *dbias, const int pool, const int windows, const int lanes) {
    const int height = c->height, width = c->width, inputs = c->inputs;
    const long line = (long)(width + 2) * inputs;
    source d;
    for (int ch = 0; ch < inputs; ch++) {
        vf sum[9];
        d = source_open(c, patch, column, windows, lanes);
        UNROLL for (int t = 0; t < 9; t++) sum[t] = (vf){0};
        for (int row = 0; row < height; row++) {
            if (windows) source_fold(&d);
            for (int col = 0; col < width; col++) {
                vi chosen = {0};
                vf unit = vset(1.0f);
                if (!pool) chosen = source_code(&d, row, col, windows) != 0;
                else if (row / 2 < c->out_height && col / 2 < c->out_width)
                    chosen = source_code(&d, row / 2, col / 2, windows) == 1 + row % 2 * 2 + col % 2;
                if (windows) unit = d.value;
                const vf one = vkeep(chosen, unit);
                const float *const at = v + row * line + col * inputs + ch;
                UNROLL for (int t = 0; t < 9; t++)
                    sum[t] += vset(at[t / 3 * line + t % 3 * inputs]) * one;
            }
        }
        UNROLL for (int t = 0; t < 9; t++) {
            float *const to = du + (t * inputs + ch) * NR;
            if (windows) vstore(to, vload(to) + sum[t]);
            else vstore(to, vload(to) + sum[t] * d.value);
        }
    }
    source_close(&d, dbias, column, windows, pool ? 4 : 1); /* a code is met at its four places */
}

static void tap_accumulate(const conv *c, long patch, const float *v, float *du, float *dbias) {
    for (int column = 0; column < c->outputs; column += VL) {
        float *const to = du + (long)(column / NR) * c->depth * NR + column % NR;
        const int lanes = c->outputs - column;
        if (lanes < VL || c->pool)
            accumulate_vector(c, patch, column, v, to, dbias, c->pool, c->window > 0, lanes);
        else if (c->window) accumulate_vector(c, patch, column, v, to, dbias, 0, 1, VL);
        else accumulate_vector(c, patch, column, v, to, dbias, 0, 0, VL);
    }
}

static void tap_weights(const float *kernel, float *u, long tap) {
    for (int t = 0; t < 9; t++) memcpy(u + t * tap, kernel + t * NR, sizeof(float) * NR);
}

static void tap_gradients(const float *du, long tap, float *kernel) {
    for (int t = 0; t < 9; t++) memcpy(kernel + t * NR, du + t * tap, sizeof(float) * NR);
}

const scheme scheme_taps = {.products = 1,
                            .taps = 9,
                            .inputs = tap_inputs,
                            .outputs = tap_outputs,
                            .weights = tap_weights,
                            .gradients = tap_gradients,
                            .multiply = tap_multiply,
                            .accumulate = tap_accumulate};
