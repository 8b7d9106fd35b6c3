/* Windows of event/burst units without refractory time, counted as plasticity needs them.

   All neurons of a unit share its drive: `paths` populations (ON, OFF) of `copies` neurons. In a step each
   has an event with probability q, so that any of the N neurons has one with h = 1 - (1 - q)^N. As in
   event_burst.c a uniform number is drawn once an interval of the unit: w = (product of 1 - h) / u < 1 is a
   step with events. How many, in which neurons, and which are bursts is drawn there: the law of N lotteries
   a step, at the cost of one multiplication. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "counter.h"
#include "neurons.h"

#define UNITS 2048 /* of a tile; a multiple of GROUP */

/* Streams of draws; those of an event's number k in its step follow STREAM_NEXT_EVENT. */
enum { STREAM_WINDOW_FIRST = 16, STREAM_WINDOW, STREAM_NEXT_EVENT };

/* The same layout as `_Window` in window.py. */
typedef struct {
    long samples, size, channels, steps; /* size: units of a sample, channels last */
    long paths, copies;
    const float *drive;       /* (step, sample, unit) */
    long drive_step;          /* distance of steps in floats; 0: constant in time */
    const float *probability; /* of a burst: (sample, path, channel) */
    float rho, background;    /* events per step and neuron: background + rho [drive]_+ */
    int begin;                /* whether intervals begin here; else they go on */
    int counted;              /* whether events count for anything but `activity` */
    float *pending;           /* w, (sample, unit) */
    float *drive_sum;         /* (sample, unit), or NULL */
    float *events;            /* of all neurons of the unit, (sample, unit) */
    float *share;             /* bursts ON - OFF, with one path its bursts; (sample, unit), or NULL */
    int64_t *totals;          /* events, bursts of each path: (sample, 3) */
    float *activity;          /* events of a step times `scale`: (step, sample, unit), or NULL */
    float scale;
    const int64_t *sample;
    uint64_t key;
    long first_step;
} window;

typedef struct {
    const window *w;
    long at, unit; /* first unit among all, and within the sample */
    int count;
    uint32_t sample;
    int64_t totals[3];
    const float *probability; /* of the sample */
    uint32_t event[UNITS + 8]; /* units with events in this step */
} units;

INLINE float hazard_of(const window *w, float drive) {
    const float z = drive > 0.0f ? drive : 0.0f, q = w->background + w->rho * z;
    return q < 1.0f ? q : 1.0f;
}

/* Probability that any of n neurons has an event; 1 - (1 - q)^n without cancellation. */
INLINE float any_of(float q, const long n) {
    if (n == 1) return q;
    if (n == 2) return q * (2.0f - q);
    float h = 0.0f, some = q; /* some: any of 1, 2, 4, ... neurons */
    for (long left = n; left; left >>= 1) {
        if (left & 1) h = h + some * (1.0f - h);
        some = some * (2.0f - some);
    }
    return h;
}

/* One step of `count` units. */
INLINE void survive(const window *w, const float *drive, float *pending, const int count,
                    const long n) {
    INDEPENDENT for (int i = 0; i < count; i++)
        pending[i] = __builtin_fmaf(-any_of(hazard_of(w, drive[i]), n), pending[i], pending[i]);
}

/* Which of the 32 floats at `p` are below 1, as bits. */
INLINE uint32_t below_one(const float *p) {
    uint32_t bits = 0;
#if defined(__AVX__)
    const __m256 one = _mm256_set1_ps(1.0f);
    UNROLL for (int i = 0; i < 4; i++) {
        const __m256 below = _mm256_cmp_ps(_mm256_loadu_ps(p + 8 * i), one, _CMP_LT_OQ);
        bits |= (uint32_t)_mm256_movemask_ps(below) << 8 * i;
    }
#else
    for (int i = 0; i < GROUP; i++) bits |= (uint32_t)(p[i] < 1.0f) << i;
#endif
    return bits;
}

/* One step of the tile; lists the units with events. */
INLINE int step_units(units *t, const float *drive, float *pending, const long n) {
    int found = 0, at = 0;
    for (; at + GROUP <= t->count; at += GROUP) {
        survive(t->w, drive + at, pending + at, GROUP, n);
        for (uint32_t set = below_one(pending + at); set; set &= set - 1)
            t->event[found++] = (uint32_t)(at + __builtin_ctz(set));
    }
    survive(t->w, drive + at, pending + at, t->count - at, n);
    for (; at < t->count; at++)
        if (pending[at] < 1.0f) t->event[found++] = (uint32_t)at;
    return found;
}

/* How many of n neurons have events, given that one has: the smallest k with P(1..k) > u P(1..n). In double, as
   the sums of float would end before or after P(1..n) once in some million draws, and u would ask for n events. */
INLINE long number_of_events(float hazard, const long n, float u) {
    if (n == 1) return 1;
    if (n == 2) return 1 + (u * (2.0f - hazard) >= 2.0f * (1.0f - hazard));
    if (hazard >= 1.0f) return n;
    const double q = hazard, odds = q / (1.0 - q), none = (double)n * log1p(-q);
    /* What is below the smallest double is passed over; it is P(0) at least. */
    double log_p = none;
    long k = 0;
    do log_p += log((double)(n - k) / (double)(k + 1) * odds), k++;
    while (log_p < -700.0 && k < n);
    double p = exp(log_p), left = -u * expm1(none) - p;
    while (left >= 0.0 && k < n) {
        p *= (double)(n - k) / (double)(k + 1) * odds;
        k++;
        left -= p;
    }
    return k;
}

/* Bursts of the k events of one unit in one step, of each path. */
INLINE void draw_bursts(const units *t, long unit, long k, uint32_t side, uint32_t lot, counter c,
                        const long n, int bursts[2]) {
    const window *const w = t->w;
    const uint32_t channel = (uint32_t)unit % (uint32_t)w->channels;
    const float *const p = t->probability + channel;
    if (n == 1) {
        bursts[0] = uniform_of(lot) < p[0];
        return;
    }
    if (n == 2 && w->paths == 2) { /* the first bit chooses the path, the others are the second lot */
        const int off = (int)(side >> 31), both = k == 2;
        const uint32_t second = side << 1;
        bursts[0] = (both | !off) & (uniform_of(lot) < p[0]);
        bursts[1] = (both | off) & (uniform_of(both ? second : lot) < p[w->channels]);
        return;
    }
    long left[2] = {w->copies, n - w->copies}; /* neurons of each path without an event */
    for (long event = 0; event < k; event++) {
        if (event) {
            uint32_t word[4];
            c.stream = (uint32_t)(STREAM_NEXT_EVENT + event);
            philox(word, (uint32_t)unit, c);
            side = word[0], lot = word[1];
        }
        const int off = uniform_of(side) * (float)(left[0] + left[1]) >= (float)left[0];
        left[off]--;
        bursts[off] += uniform_of(lot) < p[off * w->channels];
    }
}

/* The events of one step. */
INLINE void speak(units *t, long step, const float *drive, float *activity, int found,
                  const long n) {
    const window *const w = t->w;
    const counter c = {{(uint32_t)w->key, (uint32_t)(w->key >> 32)},
                       (uint32_t)(w->first_step + step), t->sample, STREAM_WINDOW};
    for (int first = 0; first < found; first += 8) {
        uint32_t word[GROUP], block[8];
        const int count = found - first < 8 ? found - first : 8;
        for (int i = 0; i < 8; i++) block[i] = (uint32_t)t->unit + t->event[first + i];
        words_of_blocks(word, block, c);
        for (int i = 0; i < count; i++) {
            const uint32_t unit = t->event[first + i];
            const long k = number_of_events(hazard_of(w, drive[unit]), n, uniform_of(word[8 + i]));
            w->pending[t->at + unit] = 1.0f / positive_of(word[i]);
            if (activity) activity[unit] = w->scale * (float)k;
            if (!w->counted) continue;
            int bursts[2] = {0, 0};
            draw_bursts(t, block[i], k, word[16 + i], word[24 + i], c, n, bursts);
            w->events[t->at + unit] += (float)k;
            if (w->share) w->share[t->at + unit] += (float)(bursts[0] - bursts[1]);
            t->totals[0] += k;
            t->totals[1] += bursts[0];
            t->totals[2] += bursts[1];
        }
    }
}

INLINE void all_steps(units *t, const long n) {
    const window *const w = t->w;
    float *const pending = w->pending + t->at;
    for (long step = 0; step < w->steps; step++) {
        const float *const drive = w->drive + step * w->drive_step + t->at;
        float *const activity =
            w->activity ? w->activity + step * w->samples * w->size + t->at : NULL;
        if (activity) memset(activity, 0, sizeof(float) * (size_t)t->count);
        if (w->drive_sum && w->counted) add_row_to(w->drive_sum + t->at, drive, t->count);
        speak(t, step, drive, activity, step_units(t, drive, pending, n), n);
    }
}

static void run_units(units *t) {
    const window *const w = t->w;
    const long n = w->paths * w->copies;
    if (w->begin) {
        uint32_t word[UNITS];
        const counter c = {{(uint32_t)w->key, (uint32_t)(w->key >> 32)},
                           (uint32_t)w->first_step, t->sample, STREAM_WINDOW_FIRST};
        for (int i = 0; i < t->count; i += GROUP)
            words_of_group(word + i, (uint32_t)((t->unit + i) / GROUP), c);
        for (int i = 0; i < t->count; i++) w->pending[t->at + i] = 1.0f / positive_of(word[i]);
    }
    if (n == 1) all_steps(t, 1);
    else if (n == 2) all_steps(t, 2);
    else all_steps(t, n);
}

static void window_task(void *job, int thread, int threads) {
    const window *const w = job;
    const long tiles = (w->size + UNITS - 1) / UNITS;
    long from, to;
    share(w->samples * tiles, thread, threads, &from, &to);
    units t = {.w = w};
    for (long item = from; item < to; item++) {
        const long sample = item / tiles;
        t.unit = item % tiles * UNITS;
        t.at = sample * w->size + t.unit;
        t.count = (int)(w->size - t.unit < UNITS ? w->size - t.unit : UNITS);
        t.sample = (uint32_t)w->sample[sample];
        t.probability = w->probability + sample * w->paths * w->channels;
        memset(t.totals, 0, sizeof t.totals);
        run_units(&t);
        for (int i = 0; i < 3; i++)
            __atomic_fetch_add(w->totals + 3 * sample + i, t.totals[i], __ATOMIC_RELAXED);
    }
}

void clapp_event_burst_window(window *w, int threads) { team_run(window_task, w, threads); }
