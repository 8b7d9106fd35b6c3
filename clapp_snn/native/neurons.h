/* What all neuron kernels share: one call runs many time steps over tiles of neurons.

   A tile's state stays in the nearest cache while all its steps are taken; drives are read and outputs
   written once. Tiles never cross a sample, and no result depends on how tiles are shared out. */
#ifndef CLAPP_NEURONS_H
#define CLAPP_NEURONS_H

#include "counter.h"
#include "team.h"

#define TILE 512 /* neurons; a multiple of GROUP */
#define MAX_STATE 9

/* The rows of a step and the parts of the state never overlap. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* The same layout as `_Run` in neurons.py. */
typedef struct {
    long samples, size, steps;
    const float *soma, *apical;    /* (step, sample, neuron) */
    long soma_step, apical_step;   /* distance of steps in floats; 0: constant in time */
    float *spike, *event, *burst;  /* (step, sample, neuron), sums over steps: (sample, neuron) */
    int sums;
    int noise;                     /* whether the event draws are wanted at all */
    const float *given_event, *given_burst; /* (step, sample, neuron), or NULL: by counter */
    const int64_t *sample;
    uint64_t key;
    long first_step;
    const float *constant;
    void *state[MAX_STATE];        /* (sample, neuron) each, changed in place */
    int not_finite;                /* set if a drive is NaN or infinite */
} run;

/* One time step of one tile. */
typedef struct {
    const float *soma, *apical, *drawn_event, *drawn_burst;
    float *spike, *event, *burst;
    counter at; /* its stream is to be filled in */
} row;

/* A tile, and the buffers that its rows use where they are not in the tensors. */
typedef struct {
    run *r;
    long at, neuron; /* first neuron among all, and within the sample */
    int count;
    uint32_t sample;
    float drawn[TILE], out[3][TILE];
} tile;

typedef void (*tile_task)(tile *t);

INLINE counter counter_of(const tile *t, long step) {
    const run *const r = t->r;
    return (counter){{(uint32_t)r->key, (uint32_t)(r->key >> 32)},
                     (uint32_t)(r->first_step + step), t->sample, STREAM_EVENT};
}

/* Words of the tile's neurons; `word` has room for whole groups. */
INLINE void draw_words(const tile *t, uint32_t *word, counter c) {
    for (int i = 0; i < t->count; i += GROUP)
        words_of_group(word + i, (uint32_t)((t->neuron + i) / GROUP), c);
}

INLINE void draw_normals(const tile *t, float *normal, counter c) {
    uint32_t word[GROUP];
    for (int i = 0; i < t->count; i += GROUP) {
        words_of_group(word, (uint32_t)((t->neuron + i) / GROUP), c);
        normals_of_group(normal + i, word);
    }
}

/* As torch computes it: fused, from the nearer end. */
INLINE float lerp(float from, float to, float gain) {
    return gain < 0.5f ? __builtin_fmaf(gain, to - from, from)
                       : __builtin_fmaf(gain - 1.0f, to - from, to);
}

INLINE int all_finite(const float *x, int count) {
    int32_t bad = 0;
    for (int i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, x + i, 4);
        bad |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !bad;
}

/* The row of a step; checks its drives and draws its normal numbers if they are not given. */
INLINE row row_open(tile *t, long step, const int normal) {
    run *const r = t->r;
    const long all = r->samples * r->size, out = step * all + t->at;
    row x = {r->soma + step * r->soma_step + t->at, r->apical + step * r->apical_step + t->at,
             r->given_event ? r->given_event + out : NULL,
             r->given_burst ? r->given_burst + out : NULL,
             r->sums || !r->spike ? t->out[0] : r->spike + out,
             r->sums ? t->out[1] : r->event + out, r->sums ? t->out[2] : r->burst + out,
             counter_of(t, step)};
    const int fine = (step && !r->soma_step) || all_finite(x.soma, t->count);
    const int fine_too = (step && !r->apical_step) || all_finite(x.apical, t->count);
    if (!(fine & fine_too)) __atomic_store_n(&r->not_finite, 1, __ATOMIC_RELAXED);
    if (normal && r->noise && !x.drawn_event) {
        draw_normals(t, t->drawn, x.at);
        x.drawn_event = t->drawn;
    }
    return x;
}

INLINE void add_row_to(float *sum, const float *row, int count) {
    INDEPENDENT for (int i = 0; i < count; i++) sum[i] += row[i];
}

INLINE void row_close(tile *t, const row *x) {
    const run *const r = t->r;
    if (!r->sums) return;
    if (r->spike) add_row_to(r->spike + t->at, x->spike, t->count);
    add_row_to(r->event + t->at, x->event, t->count);
    add_row_to(r->burst + t->at, x->burst, t->count);
}

/* Which of the eight floats at `p` are not zero, as bits. */
INLINE unsigned set_of_eight(const float *p) {
#if defined(__AVX__)
    const __m256 zero = _mm256_setzero_ps();
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(p), zero, _CMP_NEQ_UQ));
#else
    unsigned bits = 0;
    for (int i = 0; i < 8; i++) bits |= (unsigned)(p[i] != 0.0f) << i;
    return bits;
#endif
}

/* Calls `body` with the index of every non-zero entry of a row. */
#define FOR_EACH_SET(index, p, count, body)                                                        \
    do {                                                                                           \
        int base_ = 0;                                                                             \
        for (; base_ + 8 <= (count); base_ += 8)                                                   \
            for (unsigned set_ = set_of_eight((p) + base_); set_; set_ &= set_ - 1) {              \
                const int index = base_ + __builtin_ctz(set_);                                     \
                body                                                                               \
            }                                                                                      \
        for (; base_ < (count); base_++)                                                           \
            if ((p)[base_] != 0.0f) {                                                              \
                const int index = base_;                                                           \
                body                                                                               \
            }                                                                                      \
    } while (0)

/* Run a kernel over all tiles on up to `threads` threads. */
void run_tiles(run *r, tile_task kernel, int threads);

#endif
