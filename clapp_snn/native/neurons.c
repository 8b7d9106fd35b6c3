/* Sharing tiles of neurons out to the threads. */
#include "neurons.h"

typedef struct {
    run *r;
    tile_task kernel;
} tiles_job;

static void tiles_task(void *job, int thread, int threads) {
    const tiles_job *const j = job;
    const long tiles = (j->r->size + TILE - 1) / TILE;
    long from, to;
    share(j->r->samples * tiles, thread, threads, &from, &to);
    tile t = {.r = j->r};
    for (long item = from; item < to; item++) {
        const long sample = item / tiles;
        t.neuron = item % tiles * TILE;
        t.at = sample * j->r->size + t.neuron;
        t.count = (int)(j->r->size - t.neuron < TILE ? j->r->size - t.neuron : TILE);
        t.sample = j->r->sample ? (uint32_t)j->r->sample[sample] : 0;
        j->kernel(&t);
    }
}

void run_tiles(run *r, tile_task kernel, int threads) {
    tiles_job j = {r, kernel};
    team_run(tiles_task, &j, threads);
}
