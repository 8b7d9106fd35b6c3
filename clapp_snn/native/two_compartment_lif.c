/* L0, the two-compartment LIF neuron: operation for operation the step in Python. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "neurons.h"

enum { BETA, ALPHA, THRESHOLD, APICAL_THRESHOLD };

static void two_compartment_lif_tile(tile *t) {
    const run *const r = t->r;
    const int count = t->count;
    const float beta = r->constant[BETA], alpha = r->constant[ALPHA];
    const float threshold = r->constant[THRESHOLD], plateau = r->constant[APICAL_THRESHOLD];
    float *const v = (float *)r->state[0] + t->at;
    float *const a = (float *)r->state[1] + t->at;
    for (long step = 0; step < r->steps; step++) {
        const row x = row_open(t, step, 0);
        const float *const soma = x.soma, *const apical = x.apical;
        float *const event = x.event, *const burst = x.burst;
        INDEPENDENT for (int i = 0; i < count; i++) {
            const float dendrite = alpha * a[i] + apical[i], charged = beta * v[i] + soma[i];
            const float fired = charged > threshold ? 1.0f : 0.0f;
            a[i] = dendrite;
            v[i] = charged > threshold ? 0.0f : charged;
            event[i] = fired;
            burst[i] = dendrite > plateau ? fired : 0.0f;
        }
        row_close(t, &x);
    }
}

void clapp_two_compartment_lif(run *r, int threads) {
    run_tiles(r, two_compartment_lif_tile, threads);
}
