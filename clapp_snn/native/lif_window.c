/* Windows of L0, the two-compartment LIF neuron, counted as plasticity needs them.

   All neurons of a unit have the same somatic drive and no noise, so that one membrane stands for all of
   them; pathways (ON, OFF) differ in their dendrite, and dendrites of a channel are alike wherever it is in
   a map. So a step is one membrane a unit and `paths` dendrites a channel, operation for operation the step
   in Python. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "neurons.h"

#define UNITS 512 /* of a tile */
#define PATHS 2

/* The same layout as `_Window` in lif_window.py. */
typedef struct {
    long samples, size, channels, steps, paths; /* size: units of a sample, channels last */
    const float *drive;                         /* (step, sample, unit) */
    long drive_step;                            /* distance of steps in floats; 0: constant */
    const float *apical;                        /* of a step: (sample, path, channel) */
    float gain, scale, shift;                   /* increment of a step: gain (scale drive + shift) */
    float beta, alpha, threshold, plateau;
    int counted;                 /* whether spikes count for anything but `activity` */
    float *v;                    /* (sample, unit), changed in place */
    const float *dendrite;       /* before the window, (sample, path, channel) */
    float *dendrite_after;       /* the same behind it */
    float *drive_sum;            /* (sample, unit), or NULL */
    float *spikes;               /* of one neuron, (sample, unit); added to */
    float *share;                /* bursts ON - OFF of one neuron each, or with one path its bursts; or NULL */
    int64_t *totals;             /* bursts of each path, one neuron a unit: (sample, 2); added to */
    float *activity;             /* spikes of a step times `said`: (step, sample, unit), or NULL */
    float said;
    int not_finite;              /* set if a drive is NaN or infinite */
} window;

typedef struct {
    const window *w;
    long sample, unit;           /* first unit within the sample */
    int count, channel, period;  /* first channel; units after which channels repeat in the tile */
    int32_t bad;
    float dendrite[PATHS][UNITS], apical[PATHS][UNITS], plateau[PATHS][UNITS], bursts[PATHS][UNITS];
    float fired[UNITS];          /* in this step, summed over positions */
    float now[UNITS];            /* in this step */
} units;

/* Membranes of one step; `first` is the first unit of a position. */
INLINE void membranes(units *t, const float *drive, long at, int first, int count, const int counted,
                      const int sums) {
    const window *const w = t->w;
    const float gain = w->gain, scale = w->scale, shift = w->shift, beta = w->beta;
    const float threshold = w->threshold;
    float *const v = w->v + at, *const spikes = w->spikes + at, *const sum = sums ? w->drive_sum + at : NULL;
    float *const now = t->now + first, *const fired = t->fired;
    int32_t bad = 0;
    INDEPENDENT for (int i = 0; i < count; i++) {
        const float x = drive[i], charged = beta * v[i] + gain * (scale * x + shift);
        const float spike = charged > threshold ? 1.0f : 0.0f;
        v[i] = charged > threshold ? 0.0f : charged;
        now[i] = spike;
        int32_t bits;
        memcpy(&bits, &x, 4);
        bad |= (bits & 0x7f800000) == 0x7f800000;
        if (counted) {
            spikes[i] += spike;
            fired[i] += spike;
            if (sums) sum[i] += x;
        }
    }
    t->bad |= bad;
}

INLINE void dendrites(units *t) {
    const window *const w = t->w;
    for (int path = 0; path < w->paths; path++) {
        float *const a = t->dendrite[path], *const up = t->plateau[path];
        const float *const apical = t->apical[path], alpha = w->alpha, plateau = w->plateau;
        INDEPENDENT for (int i = 0; i < t->period; i++) {
            a[i] = alpha * a[i] + apical[i];
            up[i] = a[i] > plateau ? 1.0f : 0.0f;
        }
    }
}

/* What the step adds to bursts, shares and the activity that others see. */
INLINE void report(units *t, long at, float *activity) {
    const window *const w = t->w;
    if (w->counted)
        for (int path = 0; path < w->paths; path++) {
            float *const bursts = t->bursts[path];
            const float *const up = t->plateau[path], *const fired = t->fired;
            INDEPENDENT for (int i = 0; i < t->period; i++) bursts[i] += up[i] * fired[i];
        }
    if (w->counted && w->share)
        for (int first = 0; first < t->count; first += t->period) {
            const int left = t->count - first, count = left < t->period ? left : t->period;
            float *const share = w->share + at + first;
            const float *const on = t->plateau[0], *const now = t->now + first;
            const float *const off = t->plateau[1];
            const float minus = w->paths == 2 ? 1.0f : 0.0f;
            INDEPENDENT for (int i = 0; i < count; i++) share[i] += now[i] * (on[i] - minus * off[i]);
        }
    if (activity) {
        const float said = w->said, *const now = t->now;
        INDEPENDENT for (int i = 0; i < t->count; i++) activity[i] = said * now[i];
    }
}

INLINE void all_steps(units *t, const int counted, const int sums) {
    const window *const w = t->w;
    const long at = t->sample * w->size + t->unit;
    for (long step = 0; step < w->steps; step++) {
        const float *const drive = w->drive + step * w->drive_step + at;
        dendrites(t);
        memset(t->fired, 0, sizeof(float) * (size_t)t->period);
        for (int first = 0; first < t->count; first += t->period) {
            const int left = t->count - first, count = left < t->period ? left : t->period;
            membranes(t, drive + first, at + first, first, count, counted, sums);
        }
        report(t, at, w->activity ? w->activity + step * w->samples * w->size + at : NULL);
    }
}

static void run_units(units *t) {
    const window *const w = t->w;
    for (int path = 0; path < w->paths; path++) {
        const long row = (t->sample * w->paths + path) * w->channels;
        for (int i = 0; i < t->period; i++) {
            const long channel = row + (t->channel + i) % w->channels;
            t->dendrite[path][i] = w->dendrite[channel];
            t->apical[path][i] = w->apical[channel];
        }
    }
    memset(t->bursts, 0, sizeof t->bursts);
    if (!w->counted) all_steps(t, 0, 0);
    else if (w->drive_sum) all_steps(t, 1, 1);
    else all_steps(t, 1, 0);
    if (t->unit < w->channels) /* the first position writes the dendrites back */
        for (int path = 0; path < w->paths; path++) {
            const long row = (t->sample * w->paths + path) * w->channels;
            for (int i = 0; i < t->period && t->unit + i < w->channels; i++)
                w->dendrite_after[row + t->channel + i] = t->dendrite[path][i];
        }
}

static void window_task(void *job, int thread, int threads) {
    window *const w = job;
    /* Whole positions where they fit, so that the dendrites of a tile are those of its channels. */
    const long tile = w->channels < UNITS ? UNITS / w->channels * w->channels : UNITS;
    const long tiles = (w->size + tile - 1) / tile;
    long from, to;
    share(w->samples * tiles, thread, threads, &from, &to);
    units t = {.w = w};
    for (long item = from; item < to; item++) {
        t.sample = item / tiles;
        t.unit = item % tiles * tile;
        t.count = (int)(w->size - t.unit < tile ? w->size - t.unit : tile);
        t.channel = (int)(t.unit % w->channels);
        t.period = t.count < w->channels ? t.count : (int)w->channels;
        run_units(&t);
        int64_t *const totals = w->totals + PATHS * t.sample;
        for (int path = 0; path < w->paths; path++) {
            int64_t sum = 0;
            for (int i = 0; i < t.period; i++) sum += (int64_t)t.bursts[path][i];
            __atomic_fetch_add(totals + path, sum, __ATOMIC_RELAXED);
        }
    }
    if (t.bad) __atomic_store_n(&w->not_finite, 1, __ATOMIC_RELAXED);
}

void clapp_lif_window(window *w, int threads) { team_run(window_task, w, threads); }
