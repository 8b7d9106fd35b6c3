/* Threads and working memory.

   Threads come from the OpenMP runtime that torch has loaded already (two runtimes in one process
   would spin against each other); its entry points are handed over at run time, so the library is
   compiled without OpenMP. Without a runtime everything runs on the calling thread. */
#ifndef CLAPP_TEAM_H
#define CLAPP_TEAM_H

#include <stddef.h>

typedef void (*team_task)(void *job, int thread, int threads);

/* Run task(job, thread, threads) on up to `threads` threads. */
void team_run(team_task task, void *job, int threads);

/* Wait for all threads of the running team; to be called by all of them. */
void team_barrier(int threads);

/* The contiguous part [*first, *last) of `count` items that belongs to part `index` of `parts`. */
static inline void share(long count, int index, int parts, long *first, long *last) {
    *first = count * index / parts;
    *last = count * (index + 1) / parts;
}

/* Working memory that is kept between calls and grows to the largest request. NULL: none left. */
void *scratch(size_t bytes);

#endif
