/* Binomial counts by inversion: how many of n trials of probability q succeed.

   With one uniform number u the count is the first k at which the cumulative probability reaches u. The
   terms follow from one another, P(k + 1) = P(k) (n - k) / (k + 1) q / (1 - q), and 32 counts are found
   side by side. Beyond `MOST` expected successes the trials are split: counts of parts add up to a count of
   the whole. Probabilities are right to a few 1e-6 of themselves, the resolution of float32. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "counter.h"
#include "neurons.h"

#define MOST 48.0f
#define VECTORS (GROUP / VL)

/* Streams: parts of path p begin at STREAM_BINOMIAL + p, those that follow lie PATHS apart. */
enum { STREAM_BINOMIAL = 1 << 10, PATHS = 2 };

/* The same layout as `_Binomial` in binomial.py. */
typedef struct {
    long samples, size, channels; /* size: units of a sample, channels last */
    long paths;                   /* 1 or 2 sets of trials for every unit */
    const float *value;           /* q = clip(offset + slope [value]_+, 0, 1); (sample, unit) */
    float offset, slope;
    const float *trials;          /* (sample, unit), or NULL: `each` everywhere */
    float each;
    float *count;                 /* of all paths, times `scale`: (sample, unit) */
    float scale;
    float *totals;                /* (sample, path, channel), or NULL */
    const int64_t *sample;
    uint64_t key;
    long step;
} binomial;

typedef struct {
    int used;
    uint32_t unit[GROUP], channel[GROUP], word[GROUP];
    float n[GROUP], q[GROUP], count[GROUP];
} lanes;

/* e^x for -87 < x <= 0. */
INLINE float exp_below_zero(float x) {
    const float k = (float)(int32_t)(x * 1.44269504f - 0.5f);
    const float f = (x - k * 0.693145752f) - k * 1.42860677e-6f;
    float p = 1.98756915e-4f;
    p = p * f + 1.39819995e-3f;
    p = p * f + 8.33345191e-3f;
    p = p * f + 4.16657959e-2f;
    p = p * f + 1.66666655e-1f;
    p = p * f + 0.5f;
    p = p * f * f + f + 1.0f;
    const int32_t bits = ((int32_t)k + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

/* log(1 - q) for 0 <= q <= 1/2, without cancellation. */
INLINE float log_of_rest(float q) {
    const float rest = 1.0f - q, lost = 1.0f - rest;
    const float corrected = log_of(rest) * (q / (lost + 1e-30f));
    return lost > 0.0f ? corrected : -q;
}

INLINE int any_lane(vi mask) {
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX__)
    return !_mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
    int32_t any = 0;
    UNROLL for (int i = 0; i < VL; i++) any |= mask[i];
    return any != 0;
#endif
}

/* Counts of `n` trials with probability q <= 1/2 and n q <= MOST. */
static void invert(const float *n, const float *q, const uint32_t *word, float *count) {
    float first[GROUP], odds_of[GROUP], uniform[GROUP], most[GROUP];
    INDEPENDENT for (int j = 0; j < GROUP; j++) {
        const float mean = n[j] * q[j];
        first[j] = exp_below_zero(n[j] * log_of_rest(q[j]));
        odds_of[j] = q[j] / (1.0f - q[j]);
        uniform[j] = positive_of(word[j]);
        /* Rounding may leave a rest of u that no term is large enough for. */
        const float limit = mean + 6.5f * __builtin_sqrtf(mean) + 12.0f;
        most[j] = limit < n[j] ? limit : n[j];
    }
    vf u[VECTORS], p[VECTORS], odds[VECTORS], k[VECTORS], left[VECTORS], last[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) {
        u[v] = vload(uniform + v * VL), p[v] = vload(first + v * VL);
        odds[v] = vload(odds_of + v * VL), left[v] = vload(n + v * VL);
        last[v] = vload(most + v * VL), k[v] = (vf){0};
    }
    float at = 0.0f;
    for (int any = 1; any; at += 1.0f) {
        const vf now = vset(at), next = vset(1.0f / (at + 1.0f));
        vi alive_somewhere = {0};
        UNROLL for (int v = 0; v < VECTORS; v++) {
            const vi alive = (vi)(u[v] > p[v]) & (vi)(now < last[v]);
            u[v] = u[v] - vkeep(alive, p[v]);
            k[v] = k[v] + vkeep(alive, vset(1.0f));
            p[v] = vpick(alive, p[v] * (odds[v] * ((left[v] - now) * next)), p[v]);
            alive_somewhere |= alive;
        }
        any = any_lane(alive_somewhere);
    }
    UNROLL for (int v = 0; v < VECTORS; v++) vstore(count + v * VL, k[v]);
}

/* All parts of the trials of the lanes; `c` has the stream of the path. */
static void draw_lanes(lanes *l, counter c) {
    float q[GROUP], left[GROUP], part[GROUP], found[GROUP];
    uint32_t more[4][GROUP];
    for (int j = l->used; j < GROUP; j++) l->n[j] = l->q[j] = 0.0f, l->unit[j] = 0, l->word[j] = 0;
    for (int j = 0; j < GROUP; j++) {
        q[j] = l->q[j] > 0.5f ? 1.0f - l->q[j] : l->q[j];
        left[j] = l->n[j], l->count[j] = 0.0f;
    }
    for (long round = 0;; round++) {
        const uint32_t *word = l->word;
        if (round) {
            const long turn = (round - 1) % 4;
            if (turn == 0) {
                c.stream += PATHS;
                for (int b = 0; b < GROUP; b += 8) {
                    uint32_t four[GROUP];
                    words_of_blocks(four, l->unit + b, c);
                    for (int w = 0; w < 4; w++) memcpy(more[w] + b, four + 8 * w, 32);
                }
            }
            word = more[turn];
        }
        float rest = 0.0f;
        for (int j = 0; j < GROUP; j++) {
            const float fitting = left[j] * q[j] > MOST ? __builtin_floorf(MOST / q[j]) : left[j];
            part[j] = fitting;
            left[j] -= fitting;
            rest += left[j];
        }
        invert(part, q, word, found);
        for (int j = 0; j < GROUP; j++) l->count[j] += found[j];
        if (rest == 0.0f) break;
    }
    for (int j = 0; j < l->used; j++)
        if (l->q[j] > 0.5f) l->count[j] = l->n[j] - l->count[j];
}

static void put_lanes(const binomial *b, lanes *l, long sample, long path, counter c) {
    draw_lanes(l, c);
    float *const count = b->count + sample * b->size;
    float *const totals = b->totals ? b->totals + (sample * b->paths + path) * b->channels : NULL;
    for (int j = 0; j < l->used; j++) {
        count[l->unit[j]] += b->scale * l->count[j];
        if (totals) totals[l->channel[j]] += l->count[j];
    }
    l->used = 0;
}

static void sample_of(const binomial *b, long sample) {
    const float *const value = b->value + sample * b->size;
    const float *const trials = b->trials ? b->trials + sample * b->size : NULL;
    memset(b->count + sample * b->size, 0, sizeof(float) * (size_t)b->size);
    if (b->totals)
        memset(b->totals + sample * b->paths * b->channels, 0,
               sizeof(float) * (size_t)(b->paths * b->channels));
    for (long path = 0; path < b->paths; path++) {
        counter c = {{(uint32_t)b->key, (uint32_t)(b->key >> 32)}, (uint32_t)b->step,
                     (uint32_t)b->sample[sample], (uint32_t)(STREAM_BINOMIAL + path)};
        lanes l = {0};
        for (long at = 0; at < b->size; at += GROUP) {
            uint32_t word[GROUP];
            words_of_group(word, (uint32_t)(at / GROUP), c);
            const int count = b->size - at < GROUP ? (int)(b->size - at) : GROUP;
            uint32_t channel = (uint32_t)(at % b->channels);
            for (int i = 0; i < count; i++, channel++) {
                if (channel == b->channels) channel = 0;
                const float z = value[at + i] > 0.0f ? value[at + i] : 0.0f;
                const float q = b->offset + b->slope * z, n = trials ? trials[at + i] : b->each;
                if (!(q > 0.0f && n > 0.0f)) continue;
                const int j = l.used++;
                l.unit[j] = (uint32_t)(at + i), l.channel[j] = channel, l.word[j] = word[i];
                l.q[j] = q < 1.0f ? q : 1.0f, l.n[j] = n;
                if (l.used == GROUP) put_lanes(b, &l, sample, path, c);
            }
        }
        if (l.used) put_lanes(b, &l, sample, path, c);
    }
}

static void binomial_task(void *job, int thread, int threads) {
    const binomial *const b = job;
    long from, to;
    share(b->samples, thread, threads, &from, &to);
    for (long sample = from; sample < to; sample++) sample_of(b, sample);
}

void clapp_binomial(binomial *b, int threads) { team_run(binomial_task, b, threads); }
