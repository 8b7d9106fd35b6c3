/* Counter-based random numbers as tensors. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#include "counter.h"

#include "team.h"

typedef struct {
    uint32_t key[2], step, stream;
    const int64_t *sample;
    long samples, size;
    int normal;
    float *out; /* (sample, neuron) */
} draw_job;

static void draw_task(void *job, int thread, int threads) {
    const draw_job *const j = job;
    const long groups = (j->size + GROUP - 1) / GROUP;
    long from, to;
    share(j->samples * groups, thread, threads, &from, &to);
    for (long item = from; item < to; item++) {
        const long sample = item / groups, group = item % groups;
        const counter c = {{j->key[0], j->key[1]}, j->step, (uint32_t)j->sample[sample], j->stream};
        uint32_t word[GROUP];
        float value[GROUP];
        words_of_group(word, (uint32_t)group, c);
        if (j->normal) normals_of_group(value, word);
        else
            for (int i = 0; i < GROUP; i++) value[i] = uniform_of(word[i]);
        const long left = j->size - group * GROUP;
        memcpy(j->out + sample * j->size + group * GROUP, value,
               sizeof(float) * (size_t)(left < GROUP ? left : GROUP));
    }
}

void clapp_counter_draw(const int64_t *sample, float *out, uint64_t key, long step, int stream,
                        int normal, long samples, long size, int threads) {
    draw_job j = {{(uint32_t)key, (uint32_t)(key >> 32)}, (uint32_t)step, (uint32_t)stream,
                  sample, samples, size, normal, out};
    team_run(draw_task, &j, threads);
}
