/* An error of the pooled output at the position that won its window: what travels back to the input. */
#include "team.h"
#include "vector.h"

typedef struct {
    const float *value;  /* (map, row, col, channel) */
    const uint8_t *code; /* like value: 0, or 1 + the place in the 2x2 window */
    float *delta;        /* (map, 2 row, 2 col, channel) */
    long lines;          /* maps * rows */
    int width, channels;
} placing;

static void place_task(void *job, int thread, int threads) {
    const placing *const p = job;
    const long line = (long)p->width * p->channels; /* of value; one of delta is twice as long */
    long first, last;
    share(p->lines, thread, threads, &first, &last);
    for (long at = first; at < last; at++)
        for (int col = 0; col < p->width; col++) {
            const long from = at * line + (long)col * p->channels;
            float *const to = p->delta + 4 * at * line + 2L * col * p->channels;
            for (int k = 0; k < p->channels; k += VL) {
                const int lanes = p->channels - k;
                const vf value = vload_part(p->value + from + k, lanes);
                const vi code = bload_part(p->code + from + k, lanes);
                UNROLL for (int i = 0; i < 4; i++)
                    vstore_part(to + i / 2 * 2 * line + i % 2 * p->channels + k, vkeep(code == i + 1, value),
                                lanes);
            }
        }
}

void clapp_place(const float *value, const uint8_t *code, float *delta, long lines, int width,
                 int channels, int threads) {
    placing p = {value, code, delta, lines, width, channels};
    team_run(place_task, &p, threads);
}
