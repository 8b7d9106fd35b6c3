/* One 3x3 convolution (stride 1, zero padding 1, bias, ReLU, optional 2x2 max-pool) of many small
   channels-last maps ("patches"), in a bilinear scheme of P products:

       forward:  V = B(x),  M_p = V_p U_p  with U = G(weight),  y = A(M)
       update:   S = A^T(delta),  dU_p = V_p^T S_p,  dweight = G^T(dU)

   The schemes differ in P, in the rows a patch gives to each product, and in the depth of the
   products; the driver (conv.c) is the same. */
#ifndef CLAPP_CONV_H
#define CLAPP_CONV_H

#include "vector.h"

#define MAX_PRODUCTS 36
#define MAX_TAP_INPUTS 4 /* up to here convolution is direct */

typedef struct conv {
    /* what is asked */
    long patches;
    int height, width, inputs, outputs, pool;
    int linear;            /* forward: without rectification */
    const float *x;        /* (patch, row, col, input) */
    const float *weight;   /* (output, input, 3, 3) */
    const float *bias;     /* (output) */
    const float *dfeature; /* (patch, output), or (patch, window row, window col, output) */
    float *y;              /* (patch, row, col, output), may be NULL */
    uint8_t *code;         /* like y; NULL: not wanted (forward), 1 everywhere (update) */
    float *feature;        /* (patch, output), may be NULL */
    float *dweight, *dbias;

    /* what follows from it */
    const struct scheme *scheme;
    int out_height, out_width; /* after pooling */
    int window;                /* side of the squares with a dfeature of their own; 0: whole maps */
    int window_rows, window_cols;
    const int *row_at, *col_at; /* of every output row and col, the place of its window in dfeature */
    int rows;                  /* rows of a product that one patch gives */
    int depth;                 /* length of a row of V */
    int panels;                /* groups of NR outputs */
    long v_row, v_patch, v_product; /* distances in V, in floats */
    long u_product;            /* distance of products in U and dU; panels are depth * NR apart */
    long s_panel, s_product;   /* distances in S; rows are NR apart */
    long m_product;            /* distance of products in M; rows are NR apart */
} conv;

typedef struct scheme {
    int products;
    int taps; /* rows of U that one input channel has in each product */
    /* V of one patch. */
    void (*inputs)(const conv *c, const float *x, float *v);
    /* Outputs of one patch in one panel from its rows of M. */
    void (*outputs)(const conv *c, long patch, int panel, const float *m);
    /* Rows of S of one patch; `s` is its first row in panel 0. Adds to the bias sums. */
    void (*deltas)(const conv *c, long patch, float *s, float *dbias);
    /* One row of U in one panel: the 3x3 kernels of NR outputs as 9 x NR floats -> P x NR. */
    void (*weights)(const float *kernel, float *u, long product);
    /* The transpose of `weights`: P x NR -> 9 x NR. */
    void (*gradients)(const float *du, long product, float *kernel);
    /* Instead of the general products: M of one patch in one panel; dU of one patch (no S). */
    void (*multiply)(const conv *c, const float *v, const float *u, float *m);
    void (*accumulate)(const conv *c, long patch, const float *v, float *du, float *dbias);
} scheme;

extern const scheme scheme_tiles, scheme_pair, scheme_taps;

#endif
