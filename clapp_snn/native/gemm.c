/* Register-blocked micro-kernels: MR x NV vector accumulators, one broadcast and NV products a row. */
#include "gemm.h"

#define LINE 16 /* floats of a cache line */

INLINE void rows_tile(const int m, int depth, const float *a, long lda, const float *b, float *c) {
    vf sum[MR][NV];
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int v = 0; v < NV; v++) sum[r][v] = (vf){0};
    UNROLL_4 for (int k = 0; k < depth; k++) {
        vf right[NV];
        UNROLL for (int v = 0; v < NV; v++) right[v] = vload(b + (long)k * NR + v * VL);
        UNROLL for (int r = 0; r < m; r++) {
            const vf left = vset(a[r * lda + k]);
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] += left * right[v];
        }
    }
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int v = 0; v < NV; v++) vstore(c + r * NR + v * VL, sum[r][v]);
}

INLINE void columns_tile(const int m, int rows, const float *a, long lda, const float *b, float *c,
                         int add) {
    vf sum[MR][NV];
    if (add) { /* c comes from memory in large layers: this tile and the next are asked for early */
        UNROLL for (int at = 0; at < (m + MR) * NR; at += LINE) __builtin_prefetch(c + at, 1);
    }
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int v = 0; v < NV; v++) sum[r][v] = (vf){0};
    UNROLL_4 for (int k = 0; k < rows; k++) {
        vf right[NV];
        UNROLL for (int v = 0; v < NV; v++) right[v] = vload(b + (long)k * NR + v * VL);
        UNROLL for (int r = 0; r < m; r++) {
            const vf left = vset(a[k * lda + r]);
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] += left * right[v];
        }
    }
    if (add) {
        UNROLL for (int r = 0; r < m; r++)
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] += vload(c + r * NR + v * VL);
    }
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int v = 0; v < NV; v++) vstore(c + r * NR + v * VL, sum[r][v]);
}

#define FOR_TAIL(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) \
    CASE(10) CASE(11)

void gemm_rows(int rows, int depth, const float *a, long lda, const float *b, float *c) {
    for (; rows >= MR; rows -= MR, a += MR * lda, c += MR * NR)
        rows_tile(MR, depth, a, lda, b, c);
    switch (rows) {
#define CASE(m) case m: if (m < MR) rows_tile(m < MR ? m : 1, depth, a, lda, b, c); break;
        FOR_TAIL(CASE)
#undef CASE
    }
}

void gemm_columns(int rows, int columns, const float *a, long lda, const float *b, float *c,
                  int add) {
    for (; columns >= MR; columns -= MR, a += MR, c += MR * NR)
        columns_tile(MR, rows, a, lda, b, c, add);
    switch (columns) {
#define CASE(m) case m: if (m < MR) columns_tile(m < MR ? m : 1, rows, a, lda, b, c, add); break;
        FOR_TAIL(CASE)
#undef CASE
    }
}
