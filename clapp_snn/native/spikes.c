/* Basal drives of sparse inputs: weights are added up only where an input is not zero.

   Weights lie input by input, so that what one spike adds is contiguous. Of the inputs of one place up to
   four are added at a time. */
#include "neurons.h"

#define TOGETHER 4

typedef struct {
    long maps; /* rows of input of a dense layer, maps of a convolution */
    int height, width, inputs, outputs, taps; /* taps: 3, or 1 for a dense layer */
    const float *x;      /* (map, row, col, input) */
    const float *weight; /* (input, tap row, tap col, output) */
    const float *bias;
    float *out;          /* (map, row, col, output) */
} spikes;

typedef struct {
    int count;
    float x[TOGETHER];
    const float *weight[TOGETHER];
} few;

INLINE void add_few(float *out, const few *f, long offset, int outputs, const int count) {
    const float *w[TOGETHER];
    for (int k = 0; k < count; k++) w[k] = f->weight[k] + offset;
    INDEPENDENT for (int o = 0; o < outputs; o++) {
        float sum = out[o];
        UNROLL for (int k = 0; k < count; k++) sum += f->x[k] * w[k][o];
        out[o] = sum;
    }
}

/* What the inputs `f` of place (row, col) add to all places that see them. */
static void add_everywhere(const spikes *s, float *map, int row, int col, const few *f) {
    const int half = s->taps / 2;
    for (int down = 0; down < s->taps; down++)
        for (int right = 0; right < s->taps; right++) {
            const int r = row + half - down, c = col + half - right;
            if (r < 0 || c < 0 || r >= s->height || c >= s->width) continue;
            float *const out = map + ((long)r * s->width + c) * s->outputs;
            const long offset = (long)(down * s->taps + right) * s->outputs;
            switch (f->count) {
                case 1: add_few(out, f, offset, s->outputs, 1); break;
                case 2: add_few(out, f, offset, s->outputs, 2); break;
                case 3: add_few(out, f, offset, s->outputs, 3); break;
                default: add_few(out, f, offset, s->outputs, 4);
            }
        }
}

static void one_map(const spikes *s, long index) {
    const long places = (long)s->height * s->width;
    const long each = (long)s->taps * s->taps * s->outputs; /* weights of one input */
    const float *const x = s->x + index * places * s->inputs;
    float *const map = s->out + index * places * s->outputs;
    for (long place = 0; place < places; place++)
        memcpy(map + place * s->outputs, s->bias, sizeof(float) * (size_t)s->outputs);
    for (long place = 0; place < places; place++) {
        const int row = (int)(place / s->width), col = (int)(place % s->width);
        const float *const here = x + place * s->inputs;
        few f = {0};
        FOR_EACH_SET(i, here, s->inputs, {
            f.x[f.count] = here[i];
            f.weight[f.count++] = s->weight + i * each;
            if (f.count == TOGETHER) {
                add_everywhere(s, map, row, col, &f);
                f.count = 0;
            }
        });
        if (f.count) add_everywhere(s, map, row, col, &f);
    }
}

static void spikes_task(void *job, int thread, int threads) {
    const spikes *const s = job;
    long from, to;
    share(s->maps, thread, threads, &from, &to);
    for (long index = from; index < to; index++) one_map(s, index);
}

void clapp_spike_drive(const float *x, const float *weight, const float *bias, float *out,
                       long maps, int height, int width, int inputs, int outputs, int taps,
                       int threads) {
    spikes s = {maps, height, width, inputs, outputs, taps, x, weight, bias, out};
    team_run(spikes_task, &s, threads);
}
