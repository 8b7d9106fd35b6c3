/* Winograd F(4x4, 3x3): 36 products for 16 outputs instead of 144.

   Lavin & Gray, "Fast algorithms for convolutional neural networks", CVPR 2016 (arXiv:1509.09308):
       y = A^T [ (G g G^T) * (B^T d B) ] A   for every 4x4 tile of outputs, d = its 6x6 inputs,
   and, being bilinear, dg = G^T [ (B^T d B) * (A dy A^T) ] G for the weight gradient. The points of
   evaluation are 0, +-a, +-b and infinity with a = 2/3, b = 3/2: since a b = 1 the matrices are
   balanced, and rounding errors are 2.5 times smaller than for the usual 0, +-1, +-2.

       B^T = [ 1   0  -c    0   1  0 ]   A^T = [ 1  1   1   1   1   0 ]   G = [ 1     0     0    ]
             [ 0 -abb -bb   a   1  0 ]         [ 0  a  -a   b  -b   0 ]       [ ga   a ga  aa ga ]
             [ 0  abb -bb  -a   1  0 ]         [ 0  aa  aa  bb  bb  0 ]       [ ga  -a ga  aa ga ]
             [ 0 -aab -aa   b   1  0 ]         [ 0 aaa -aaa bbb -bbb 1 ]      [ gb   b gb  bb gb ]
             [ 0  aab -aa  -b   1  0 ]                                        [ gb  -b gb  bb gb ]
             [ 0   1   0   -c   0  1 ]                                        [ 0     0     1    ]

   with c = aa + bb, ga = 1 / (2 aa (aa - bb)), gb = 1 / (2 bb (bb - aa)). */
#include "epilogue.h"

#define PA (2.0f / 3.0f)
#define PB (3.0f / 2.0f)
#define AA (4.0f / 9.0f)
#define BB (9.0f / 4.0f)
#define CC (97.0f / 36.0f)
#define GA (-729.0f / 1170.0f)
#define GB (16.0f / 130.0f)

#define SIDE 4 /* outputs of a tile along one axis */
#define SPAN 6 /* its inputs, and its products */

INLINE void forward_1d(vf *out, vf d0, vf d1, vf d2, vf d3, vf d4, vf d5) {
    const vf even_a = d4 - BB * d2, odd_a = d3 - BB * d1;
    const vf even_b = d4 - AA * d2, odd_b = d3 - AA * d1;
    out[0] = d0 - CC * d2 + d4;
    out[1] = even_a + PA * odd_a;
    out[2] = even_a - PA * odd_a;
    out[3] = even_b + PB * odd_b;
    out[4] = even_b - PB * odd_b;
    out[5] = d1 - CC * d3 + d5;
}

INLINE void output_1d(vf *y, const vf *m, const int step) {
    const vf plus_a = m[step] + m[2 * step], minus_a = m[step] - m[2 * step];
    const vf plus_b = m[3 * step] + m[4 * step], minus_b = m[3 * step] - m[4 * step];
    y[0] = m[0] + plus_a + plus_b;
    y[1] = PA * minus_a + PB * minus_b;
    y[2] = AA * plus_a + BB * plus_b;
    y[3] = (PA * AA) * minus_a + (PB * BB) * minus_b + m[5 * step];
}

/* The transpose of output_1d. */
INLINE void delta_1d(vf *s, vf y0, vf y1, vf y2, vf y3) {
    const vf even_a = y0 + AA * y2, odd_a = PA * y1 + (PA * AA) * y3;
    const vf even_b = y0 + BB * y2, odd_b = PB * y1 + (PB * BB) * y3;
    s[0] = y0;
    s[1] = even_a + odd_a;
    s[2] = even_a - odd_a;
    s[3] = even_b + odd_b;
    s[4] = even_b - odd_b;
    s[5] = y3;
}

INLINE void weight_1d(vf *u, vf g0, vf g1, vf g2) {
    const vf even_a = GA * g0 + (GA * AA) * g2, odd_a = (GA * PA) * g1;
    const vf even_b = GB * g0 + (GB * BB) * g2, odd_b = (GB * PB) * g1;
    u[0] = g0;
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g2;
}

/* The transpose of weight_1d. */
INLINE void gradient_1d(vf *g, const vf *u, const int step) {
    const vf plus_a = u[step] + u[2 * step], minus_a = u[step] - u[2 * step];
    const vf plus_b = u[3 * step] + u[4 * step], minus_b = u[3 * step] - u[4 * step];
    g[0] = u[0] + GA * plus_a + GB * plus_b;
    g[1] = (GA * PA) * minus_a + (GB * PB) * minus_b;
    g[2] = (GA * AA) * plus_a + (GB * BB) * plus_b + u[5 * step];
}

#define STRIP 8 /* tiles of one row that are transformed together: they share columns */

/* Tiles [first, last) of one row of tiles, one vector of channels. */
INLINE void input_strip(const conv *c, const float *x, float *v, int tile_row, int first, int last,
                        const int lanes) {
    vf columns[STRIP * SIDE + 2][SPAN];
    const int top = tile_row * SIDE - 1, left = first * SIDE - 1;
    const int inside = top >= 0 && top + SPAN <= c->height, width = c->width, height = c->height;
    const long line = (long)width * c->inputs, product = c->v_product, row = c->v_row;
    for (int i = 0; i < (last - first) * SIDE + 2; i++) {
        const int col = left + i;
        vf d[SPAN];
        if (col < 0 || col >= width) {
            UNROLL for (int r = 0; r < SPAN; r++) columns[i][r] = (vf){0};
            continue;
        }
        const float *from = x + (long)top * line + (long)col * c->inputs;
        if (inside) {
            UNROLL for (int r = 0; r < SPAN; r++) d[r] = vload_part(from + r * line, lanes);
        } else {
            UNROLL for (int r = 0; r < SPAN; r++)
                d[r] = top + r < 0 || top + r >= height ? (vf){0}
                                                        : vload_part(from + r * line, lanes);
        }
        forward_1d(columns[i], d[0], d[1], d[2], d[3], d[4], d[5]);
    }
    for (int t = 0; t < last - first; t++, v += row) {
        const vf(*d)[SPAN] = (const vf(*)[SPAN])columns + t * SIDE;
        float *to = v;
        UNROLL for (int r = 0; r < SPAN; r++) {
            vf out[SPAN];
            forward_1d(out, d[0][r], d[1][r], d[2][r], d[3][r], d[4][r], d[5][r]);
            UNROLL for (int k = 0; k < SPAN; k++, to += product) vstore(to, out[k]);
        }
    }
}

static void tile_inputs(const conv *c, const float *x, float *v) {
    const int across = (c->width + SIDE - 1) / SIDE, down = (c->height + SIDE - 1) / SIDE;
    for (int row = 0; row < down; row++)
        for (int first = 0; first < across; first += STRIP) {
            const int last = first + STRIP < across ? first + STRIP : across;
            float *const at = v + (row * across + first) * c->v_row;
            int ch = 0;
            for (; ch + VL <= c->inputs; ch += VL)
                input_strip(c, x + ch, at + ch, row, first, last, VL);
            if (ch < c->inputs)
                input_strip(c, x + ch, at + ch, row, first, last, c->inputs - ch);
        }
}

/* `rows` x `cols` of the tile's outputs (of its windows, with pooling) exist. */
INLINE void tile_output(sink *s, int row, int col, int rows, int cols, const float *m,
                        const long product, const int pool) {
    vf half[SPAN][SIDE], y[SIDE][SIDE];
    UNROLL for (int k = 0; k < SPAN; k++) {
        vf column[SPAN];
        UNROLL for (int r = 0; r < SPAN; r++) column[r] = vload(m + (r * SPAN + k) * product);
        output_1d(half[k], column, 1);
    }
    UNROLL for (int r = 0; r < SIDE; r++) output_1d(y[r], &half[0][r], SIDE);
    if (pool) {
        UNROLL for (int r = 0; r < 2; r++)
            UNROLL for (int k = 0; k < 2; k++)
                if (r < rows && k < cols)
                    sink_window(s, row + r, col + k, y[2 * r][2 * k], y[2 * r][2 * k + 1],
                                y[2 * r + 1][2 * k], y[2 * r + 1][2 * k + 1]);
    } else {
        UNROLL for (int r = 0; r < SIDE; r++)
            UNROLL for (int k = 0; k < SIDE; k++)
                if (r < rows && k < cols) sink_single(s, row + r, col + k, y[r][k]);
    }
}

INLINE void tiles_of_patch(const conv *c, long patch, int column, const float *m, const int pool,
                           const int lanes) {
    const int side = pool ? SIDE / 2 : SIDE, down = (c->height + SIDE - 1) / SIDE;
    const int across = (c->width + SIDE - 1) / SIDE, height = c->out_height, width = c->out_width;
    const long product = c->m_product;
    sink s = sink_open(c, patch, column, lanes);
    for (int row = 0; row < down; row++)
        for (int col = 0; col < across; col++, m += NR)
            tile_output(&s, row * side, col * side, height - row * side, width - col * side, m,
                        product, pool);
    sink_close(c, &s, patch, column);
}

static void tile_outputs(const conv *c, long patch, int panel, const float *m) {
    for (int v = 0; v < NR; v += VL) {
        const int column = panel * NR + v, lanes = c->outputs - column;
        if (lanes >= VL && c->pool) tiles_of_patch(c, patch, column, m + v, 1, VL);
        else if (lanes >= VL) tiles_of_patch(c, patch, column, m + v, 0, VL);
        else if (lanes > 0) tiles_of_patch(c, patch, column, m + v, c->pool, lanes);
    }
}

INLINE void tile_delta(source *d, int row, int col, int rows, int cols, float *s,
                       const long product, const int pool, const int windows) {
    vf y[SIDE][SIDE], half[SIDE][SPAN];
    if (pool) {
        UNROLL for (int r = 0; r < 2; r++)
            UNROLL for (int k = 0; k < 2; k++) {
                vi code = {0};
                if (r < rows && k < cols) code = source_code(d, row + r, col + k, windows);
                y[2 * r][2 * k] = vkeep(code == 1, d->value);
                y[2 * r][2 * k + 1] = vkeep(code == 2, d->value);
                y[2 * r + 1][2 * k] = vkeep(code == 3, d->value);
                y[2 * r + 1][2 * k + 1] = vkeep(code == 4, d->value);
            }
    } else {
        UNROLL for (int r = 0; r < SIDE; r++)
            UNROLL for (int k = 0; k < SIDE; k++) {
                vi code = {0};
                if (r < rows && k < cols) code = source_code(d, row + r, col + k, windows);
                y[r][k] = vkeep(code != 0, d->value);
            }
    }
    UNROLL for (int k = 0; k < SIDE; k++) delta_1d(half[k], y[0][k], y[1][k], y[2][k], y[3][k]);
    UNROLL for (int r = 0; r < SPAN; r++) {
        vf out[SPAN];
        delta_1d(out, half[0][r], half[1][r], half[2][r], half[3][r]);
        UNROLL for (int k = 0; k < SPAN; k++, s += product) vstore(s, out[k]);
    }
}

INLINE void deltas_of_patch(const conv *c, long patch, int column, float *s, float *dbias,
                            const int pool, const int windows, const int lanes) {
    const int side = pool ? SIDE / 2 : SIDE, down = (c->height + SIDE - 1) / SIDE;
    const int across = (c->width + SIDE - 1) / SIDE, height = c->out_height, width = c->out_width;
    const long product = c->s_product;
    source d = source_open(c, patch, column, windows, lanes);
    for (int row = 0; row < down; row++) {
        if (windows) source_fold(&d);
        for (int col = 0; col < across; col++, s += NR)
            tile_delta(&d, row * side, col * side, height - row * side, width - col * side, s,
                       product, pool, windows);
    }
    source_close(&d, dbias, column, windows, 1);
}

static void tile_deltas(const conv *c, long patch, float *s, float *dbias) {
    for (int column = 0; column < c->outputs; column += VL) {
        float *const at = s + column / NR * c->s_panel + column % NR;
        const int lanes = c->outputs - column;
        if (lanes < VL) deltas_of_patch(c, patch, column, at, dbias, c->pool, c->window > 0, lanes);
        else if (c->window && c->pool) deltas_of_patch(c, patch, column, at, dbias, 1, 1, VL);
        else if (c->window) deltas_of_patch(c, patch, column, at, dbias, 0, 1, VL);
        else if (c->pool) deltas_of_patch(c, patch, column, at, dbias, 1, 0, VL);
        else deltas_of_patch(c, patch, column, at, dbias, 0, 0, VL);
    }
}

static void tile_weights(const float *kernel, float *u, long product) {
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

static void tile_gradients(const float *du, long product, float *kernel) {
    for (int v = 0; v < NR; v += VL) {
        vf half[SPAN][3], out[3];
        UNROLL for (int k = 0; k < SPAN; k++) {
            vf column[SPAN];
            UNROLL for (int r = 0; r < SPAN; r++)
                column[r] = vload(du + (r * SPAN + k) * product + v);
            gradient_1d(half[k], column, 1);
        }
        UNROLL for (int r = 0; r < 3; r++) {
            gradient_1d(out, &half[0][r], 3);
            UNROLL for (int k = 0; k < 3; k++) vstore(kernel + (r * 3 + k) * NR + v, out[k]);
        }
    }
}

const scheme scheme_tiles = {.products = SPAN * SPAN,
                             .taps = 1,
                             .inputs = tile_inputs,
                             .outputs = tile_outputs,
                             .deltas = tile_deltas,
                             .weights = tile_weights,
                             .gradients = tile_gradients};
