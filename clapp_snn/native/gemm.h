/* Matrix products of panels: the two inner loops that all convolutions share. */
#ifndef CLAPP_GEMM_H
#define CLAPP_GEMM_H

#include "vector.h"

/* c[rows][NR] = a[rows][depth] * b[depth][NR]; rows of a are `lda` apart. */
void gemm_rows(int rows, int depth, const float *a, long lda, const float *b, float *c);

/* c[columns][NR] (+)= a[rows][columns]^T * b[rows][NR]; `add` chooses between = and +=. */
void gemm_columns(int rows, int columns, const float *a, long lda, const float *b, float *c,
                  int add);

#endif
