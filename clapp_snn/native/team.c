/* Threads through a borrowed OpenMP runtime (the GNU entry points), and the working memory. */
#define _GNU_SOURCE
#include "team.h"

#include <stdint.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

static void (*run_parallel)(void (*)(void *), void *, unsigned, unsigned);
static void (*run_barrier)(void);
static int (*thread_number)(void);
static int (*thread_count)(void);

void clapp_use_threads(void *parallel, void *barrier, void *number, void *count) {
    run_parallel = (void (*)(void (*)(void *), void *, unsigned, unsigned))parallel;
    run_barrier = (void (*)(void))barrier;
    thread_number = (int (*)(void))number;
    thread_count = (int (*)(void))count;
}

typedef struct {
    team_task task;
    void *job;
} call;

static void enter(void *argument) {
    const call *c = argument;
    c->task(c->job, thread_number(), thread_count());
}

void team_run(team_task task, void *job, int threads) {
    call c = {task, job};
    if (threads > 1 && run_parallel) run_parallel(enter, &c, (unsigned)threads, 0);
    else task(job, 0, 1);
}

void team_barrier(int threads) {
    if (threads > 1) run_barrier();
}

#define HUGE_PAGE ((size_t)1 << 21)

/* Huge pages: new memory is there after a 500th of the page faults, and strided panels miss the
   TLB less often. Only a hint; where it is not taken, nothing changes but the speed. */
void clapp_use_huge_pages(void *start, size_t bytes) {
#if defined(__linux__)
    const uintptr_t first = ((uintptr_t)start + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    const uintptr_t last = ((uintptr_t)start + bytes) / HUGE_PAGE * HUGE_PAGE;
    if (last > first) madvise((void *)first, last - first, MADV_HUGEPAGE);
#else
    (void)start, (void)bytes;
#endif
}

static void *memory;
static size_t memory_bytes;

void *scratch(size_t bytes) {
    if (bytes <= memory_bytes) return memory;
    free(memory);
    memory_bytes = 0;
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (posix_memalign(&memory, HUGE_PAGE, bytes)) return memory = NULL;
    clapp_use_huge_pages(memory, bytes);
    memory_bytes = bytes;
    return memory;
}

size_t clapp_scratch_bytes(void) { return memory_bytes; }

void clapp_scratch_release(void) {
    free(memory);
    memory = NULL;
    memory_bytes = 0;
}
