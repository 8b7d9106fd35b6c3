/* L3, the event/burst unit, with intervals drawn instead of steps.

   A uniform number u in (0, 1] is drawn once an interval. The unit survives while the product of its
   survival probabilities 1 - q exceeds u; kept is w = product / u, so a step is one multiplication, and
   w < 1 is an event. Given survival so far, u is uniform below the product, so each step's event has the
   probability q whatever the drive did before: the law of a lottery at every step, with a draw only at
   events. A lottery forgets, so that the pending interval can be drawn anew at the beginning of a call.

   Built for both: n_ref = 0 leaves the refractory counter alone. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "neurons.h"

enum { RHO, BACKGROUND, N_REF, LOGIT_P0, OPPONENT };

INLINE float burst_probability(const float *c, float apical) {
    return c[OPPONENT] != 0.0f ? 1.0f / (1.0f + expf(-(c[LOGIT_P0] + apical))) : apical;
}

typedef struct {
    float rho, background, n_ref, most; /* most: events per step at the fastest reachable rate */
} rate;

INLINE rate rate_of(const float *c) {
    return (rate){c[RHO], c[BACKGROUND], c[N_REF], (float)(1.0 / (c[N_REF] + 1.0))};
}

/* Event probability of a step that is not refractory. */
INLINE float hazard(rate k, float soma, const int refractory) {
    const float z = soma > 0.0f ? soma : 0.0f, per_step = k.background + k.rho * z;
    if (!refractory) return per_step;
    const float reached = per_step < k.most ? per_step : k.most;
    return reached / (1.0f - k.n_ref * reached);
}

INLINE void intervals(tile *t, const int refractory) {
    const run *const r = t->r;
    const int count = t->count;
    const float *const c = r->constant;
    const rate k = rate_of(c);
    int32_t *const left = (int32_t *)r->state[0] + t->at;
    const int32_t n_ref = (int32_t)c[N_REF];
    uint32_t word[TILE];
    float w[TILE];
    counter first = counter_of(t, 0);
    first.stream = STREAM_FIRST;
    draw_words(t, word, first);
    for (int i = 0; i < TILE; i++) w[i] = 1.0f / positive_of(word[i]);
    for (long step = 0; step < r->steps; step++) {
        row x = row_open(t, step, 0);
        x.at.stream = STREAM_INTERVAL;
        const float *const soma = x.soma;
        float *const event = x.event, *const burst = x.burst;
        INDEPENDENT for (int i = 0; i < count; i++) {
            float q = hazard(k, soma[i], refractory);
            if (refractory) {
                const int32_t silent = left[i];
                q *= (float)(silent == 0);
                left[i] = silent - (silent > 0);
            }
            const float pending = w[i] * (1.0f - q);
            w[i] = pending;
            event[i] = pending < 1.0f ? 1.0f : 0.0f;
            burst[i] = 0.0f;
        }
        FOR_EACH_SET(i, event, count, {
            uint32_t four[4];
            philox(four, (uint32_t)(t->neuron + i), x.at);
            w[i] = 1.0f / positive_of(four[0]);
            burst[i] = uniform_of(four[1]) < burst_probability(c, x.apical[i]) ? 1.0f : 0.0f;
            if (refractory) left[i] = n_ref;
        });
        row_close(t, &x);
    }
}

/* The lottery at every step, with given numbers. */
INLINE void lotteries(tile *t, const int refractory) {
    const run *const r = t->r;
    const int count = t->count;
    const float *const c = r->constant;
    const rate k = rate_of(c);
    int32_t *const left = (int32_t *)r->state[0] + t->at;
    const int32_t n_ref = (int32_t)c[N_REF];
    for (long step = 0; step < r->steps; step++) {
        row x = row_open(t, step, 0);
        const float *const soma = x.soma, *const drawn = x.drawn_event;
        float *const event = x.event, *const burst = x.burst;
        INDEPENDENT for (int i = 0; i < count; i++) {
            int fired = drawn[i] < hazard(k, soma[i], refractory);
            if (refractory) {
                const int32_t silent = left[i];
                fired &= silent == 0;
                left[i] = silent - (silent > 0) + fired * n_ref;
            }
            event[i] = fired ? 1.0f : 0.0f;
            burst[i] = 0.0f;
        }
        FOR_EACH_SET(i, event, count, {
            burst[i] = x.drawn_burst[i] < burst_probability(c, x.apical[i]) ? 1.0f : 0.0f;
        });
        row_close(t, &x);
    }
}

static void event_burst_tile(tile *t) {
    const int refractory = t->r->constant[N_REF] > 0.0f;
    if (t->r->given_event && refractory) lotteries(t, 1);
    else if (t->r->given_event) lotteries(t, 0);
    else if (refractory) intervals(t, 1);
    else intervals(t, 0);
}

void clapp_event_burst(run *r, int threads) { run_tiles(r, event_burst_tile, threads); }
