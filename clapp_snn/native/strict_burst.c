/* L2, the strict burst neuron. Additions and products in the order of the step in Python; torch's lerp is
   a fused multiply-add, and so is ours. The burst lottery is computed only where there is an event. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "neurons.h"

enum {
    E_LEAK, V_THRESHOLD, V_RESET, T_REF, SOMA_GAIN, SOMA_RESISTANCE, W_SOMA_DECAY, B_W_SOMA,
    APICAL_GAIN, APICAL_RESISTANCE, W_APICAL_GAIN, A_W_APICAL, E_BURST, D_BURST, DELAY_MIN,
    DELAY_RANGE, OU_GAIN, OU_NOISE, OU_MEAN
};

INLINE void strict_burst(tile *t, const int noise) {
    const run *const r = t->r;
    const int count = t->count;
    const float *const c = r->constant;
    const float v_reset = c[V_RESET], b_w_soma = c[B_W_SOMA];
    float *s[7];
    for (int k = 0; k < 7; k++) s[k] = (float *)r->state[k] + t->at;
    float *const v_s = s[0], *const v_d = s[1], *const w_s = s[2],
          *const w_d = s[3], *const i_s = s[4], *const age = s[5],
          *const delay = s[6];
    for (long step = 0; step < r->steps; step++) {
        row x = row_open(t, step, 1);
        x.at.stream = STREAM_BURST;
        const float *const soma = x.soma, *const apical = x.apical;
        const float *const drawn = x.drawn_event;
        float *const spike = x.spike, *const event = x.event,
              *const burst = x.burst;
        INDEPENDENT for (int i = 0; i < count; i++) {
            const float interval = age[i] + 1.0f;
            const float soma_goal =
                c[E_LEAK] + c[SOMA_RESISTANCE] * (soma[i] + i_s[i] + w_s[i]);
            const float v = lerp(v_s[i], soma_goal, c[SOMA_GAIN]);
            const int fired = (v > c[V_THRESHOLD]) & (age[i] >= c[T_REF]);
            v_s[i] = fired ? v_reset : v;
            w_s[i] = w_s[i] * c[W_SOMA_DECAY] + (fired ? b_w_soma : 0.0f);
            i_s[i] = i_s[i] + c[OU_GAIN] * (c[OU_MEAN] - i_s[i]);
            if (noise) i_s[i] = i_s[i] + c[OU_NOISE] * drawn[i];

            const float apical_goal = c[E_LEAK] + c[APICAL_RESISTANCE] * (apical[i] + w_d[i]);
            w_d[i] = lerp(w_d[i], c[A_W_APICAL] * (v_d[i] - c[E_LEAK]), c[W_APICAL_GAIN]);
            v_d[i] = lerp(v_d[i], apical_goal, c[APICAL_GAIN]);

            const int second = interval == delay[i];
            age[i] = fired ? 0.0f : interval;
            event[i] = fired ? 1.0f : 0.0f;
            burst[i] = second ? 1.0f : 0.0f;
            spike[i] = fired | second ? 1.0f : 0.0f;
        }
        FOR_EACH_SET(i, event, count, {
            const float p = 1.0f / (1.0f + expf(-((v_d[i] - c[E_BURST]) / c[D_BURST])));
            const float u = x.drawn_burst ? x.drawn_burst[i]
                                          : uniform_of(word_of_neuron(t->neuron + i, x.at));
            delay[i] = u < p ? rintf(c[DELAY_MIN] + c[DELAY_RANGE] * (u / p)) : 0.0f;
        });
        row_close(t, &x);
    }
}

static void strict_burst_tile(tile *t) {
    if (t->r->noise) strict_burst(t, 1);
    else strict_burst(t, 0);
}

void clapp_strict_burst(run *r, int threads) { run_tiles(r, strict_burst_tile, threads); }
