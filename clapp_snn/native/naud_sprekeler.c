/* L1, the neuron of Naud and Sprekeler: the step in Python, but for the last digits of the exponential. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "neurons.h"

enum {
    E_LEAK, V_THRESHOLD, V_RESET, T_REF, THRESHOLD_STEP, THRESHOLD_DECAY, SOMA_GAIN,
    SOMA_RESISTANCE, G_SOMA, W_SOMA_DECAY, B_W_SOMA, APICAL_GAIN, APICAL_RESISTANCE, G_APICAL,
    W_APICAL_GAIN, A_W_APICAL, C_BAP, BAP_ON, BAP_OFF, E_PLATEAU, D_PLATEAU, OU_GAIN, OU_NOISE,
    OU_MEAN_SOMA, OU_MEAN_APICAL, LONGEST
};

INLINE float lower(float a, float b) { return a < b ? a : b; }
INLINE float higher(float a, float b) { return a > b ? a : b; }

INLINE void naud_sprekeler(tile *t, const int noise) {
    const run *const r = t->r;
    const int count = t->count;
    const float *const c = r->constant;
    const float v_reset = c[V_RESET], b_w_soma = c[B_W_SOMA], threshold_step = c[THRESHOLD_STEP];
    const float threshold_decay = c[THRESHOLD_DECAY];
    const int moving = threshold_step > 0.0f;
    float *s[9], second[TILE];
    for (int k = 0; k < 9; k++) s[k] = (float *)r->state[k] + t->at;
    float *const v_s = s[0], *const v_d = s[1], *const w_s = s[2],
          *const w_d = s[3], *const i_s = s[4], *const i_d = s[5],
          *const theta = s[6], *const age = s[7], *const alone = s[8];
    for (long step = 0; step < r->steps; step++) {
        const row x = row_open(t, step, 1);
        const float *const soma = x.soma, *const apical = x.apical;
        const float *const noise_s = x.drawn_event;
        const float *noise_d = x.drawn_burst;
        if (noise && !noise_d) {
            counter at = x.at;
            at.stream = STREAM_BURST;
            draw_normals(t, second, at);
            noise_d = second;
        }
        float *const spike = x.spike, *const event = x.event,
              *const burst = x.burst;
        INDEPENDENT for (int i = 0; i < count; i++) {
            const float interval = age[i] + 1.0f;
            const float plateau =
                1.0f / (1.0f + exp_of(-((v_d[i] - c[E_PLATEAU]) / c[D_PLATEAU])));
            const float bap =
                higher(lower(interval, c[BAP_OFF]) - higher(age[i], c[BAP_ON]), 0.0f);
            const float soma_goal =
                c[E_LEAK] + c[SOMA_RESISTANCE] * (c[G_SOMA] * plateau + soma[i] + i_s[i] + w_s[i]);
            const float apical_goal =
                c[E_LEAK] + c[APICAL_RESISTANCE] * (c[G_APICAL] * plateau + c[C_BAP] * bap +
                                                    apical[i] + i_d[i] + w_d[i]);
            w_d[i] = lerp(w_d[i], c[A_W_APICAL] * (v_d[i] - c[E_LEAK]), c[W_APICAL_GAIN]);
            v_d[i] = lerp(v_d[i], apical_goal, c[APICAL_GAIN]);
            const float free = lerp(v_s[i], soma_goal, c[SOMA_GAIN]);
            const float v = age[i] < c[T_REF] ? v_reset : free;
            const float raised = moving ? theta[i] * threshold_decay : 0.0f;
            const int fired = v - c[V_THRESHOLD] - raised > 0.0f;
            v_s[i] = fired ? v_reset : v;
            w_s[i] = w_s[i] * c[W_SOMA_DECAY] + (fired ? b_w_soma : 0.0f);
            theta[i] = moving ? raised + (fired ? threshold_step : 0.0f) : theta[i];

            const int within = interval <= c[LONGEST];
            const int first = fired & !within, follows = fired & within & (alone[i] != 0.0f);
            alone[i] = first ? 1.0f : fired ? 0.0f : alone[i];
            i_s[i] = i_s[i] + c[OU_GAIN] * (c[OU_MEAN_SOMA] - i_s[i]);
            i_d[i] = i_d[i] + c[OU_GAIN] * (c[OU_MEAN_APICAL] - i_d[i]);
            if (noise) {
                i_s[i] = i_s[i] + c[OU_NOISE] * noise_s[i];
                i_d[i] = i_d[i] + c[OU_NOISE] * noise_d[i];
            }
            age[i] = fired ? 0.0f : interval;
            spike[i] = fired ? 1.0f : 0.0f;
            event[i] = first ? 1.0f : 0.0f;
            burst[i] = follows ? 1.0f : 0.0f;
        }
        row_close(t, &x);
    }
}

static void naud_sprekeler_tile(tile *t) {
    if (t->r->noise) naud_sprekeler(t, 1);
    else naud_sprekeler(t, 0);
}

void clapp_naud_sprekeler(run *r, int threads) { run_tiles(r, naud_sprekeler_tile, threads); }
