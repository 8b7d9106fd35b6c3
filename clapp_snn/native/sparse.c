/* Sparse rows: every row of a group is combined with itself and N listed rows of the group.

   The columns are walked in chunks, so that the chunk of all rows of a group stays in cache while
   its rows are visited in the order of the lists. */
#include <stdlib.h>

#include "team.h"
#include "vector.h"

#define CHUNK (8 * VL)

typedef struct {
    long groups, rows, listed, columns; /* G, M, N, C */
    const int64_t *index;               /* (G, M, N) */
    const float *coef;                  /* (G, M, 1 + N) */
    const float *values, *other;        /* (G, M, C), groups a stride apart */
    long values_group, other_group;
    float *out;
    long *start, *entry; /* transposed lists: places i * N + n by ascending index, for every group */
    long *cursor;
} rows_job;

/* The rows [*from, *to) of a group that belong to this thread. */
static void own_rows(const rows_job *j, long group, int thread, int threads, long *from, long *to) {
    long first, last;
    share(j->groups * j->rows, thread, threads, &first, &last);
    first -= group * j->rows;
    last -= group * j->rows;
    *from = first < 0 ? 0 : first;
    *to = last > j->rows ? j->rows : last;
}

INLINE void add_row(vf *sum, const int vectors, float coef, const float *row, const int lanes) {
    const vf scale = vset(coef);
    UNROLL for (int v = 0; v < vectors; v++) sum[v] += scale * vload_part(row + v * VL, lanes);
}

INLINE void apply_vectors(const rows_job *j, long group, long i, long column, const int vectors,
                          const int lanes) {
    const float *const values = j->values + group * j->values_group + column;
    const float *const coef = j->coef + (group * j->rows + i) * (1 + j->listed);
    const int64_t *const index = j->index + (group * j->rows + i) * j->listed;
    const long columns = j->columns;
    vf sum[CHUNK / VL];
    UNROLL for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    add_row(sum, vectors, coef[0], values + i * columns, lanes);
    for (long n = 0; n < j->listed; n++)
        add_row(sum, vectors, coef[1 + n], values + index[n] * columns, lanes);
    float *const to = j->out + (group * j->rows + i) * columns + column;
    UNROLL for (int v = 0; v < vectors; v++) vstore_part(to + v * VL, sum[v], lanes);
}

INLINE void transposed_vectors(const rows_job *j, long group, long i, long column,
                               const int vectors, const int lanes) {
    const float *const values = j->values + group * j->values_group + column;
    const float *const coef = j->coef + group * j->rows * (1 + j->listed);
    const long *const start = j->start + group * (j->rows + 1);
    const long *const entry = j->entry + group * j->rows * j->listed;
    const long columns = j->columns, listed = j->listed;
    vf sum[CHUNK / VL];
    UNROLL for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    add_row(sum, vectors, coef[i * (1 + listed)], values + i * columns, lanes);
    for (long e = start[i]; e < start[i + 1]; e++) {
        const long from = entry[e] / listed;
        add_row(sum, vectors, coef[entry[e] + from + 1], values + from * columns, lanes);
    }
    float *const to = j->out + (group * j->rows + i) * columns + column;
    UNROLL for (int v = 0; v < vectors; v++) vstore_part(to + v * VL, sum[v], lanes);
}

INLINE void walk(const rows_job *j, int thread, int threads,
                 void (*vectors_of)(const rows_job *, long, long, long, const int, const int)) {
    long from, to;
    for (long group = 0; group < j->groups; group++) {
        long column = 0;
        own_rows(j, group, thread, threads, &from, &to);
        for (; column + CHUNK <= j->columns; column += CHUNK)
            for (long i = from; i < to; i++) vectors_of(j, group, i, column, CHUNK / VL, VL);
        for (; column + VL <= j->columns; column += VL)
            for (long i = from; i < to; i++) vectors_of(j, group, i, column, 1, VL);
        if (column < j->columns)
            for (long i = from; i < to; i++)
                vectors_of(j, group, i, column, 1, (int)(j->columns - column));
    }
}

static void apply_task(void *job, int thread, int threads) {
    walk(job, thread, threads, apply_vectors);
}

/* A counting sort of the listed places by the row they name: the order of the sums is fixed. */
static void transpose_lists(const rows_job *j, long group) {
    const int64_t *const index = j->index + group * j->rows * j->listed;
    long *const start = j->start + group * (j->rows + 1), *const cursor = j->cursor + group * j->rows;
    long *const entry = j->entry + group * j->rows * j->listed;
    memset(start, 0, sizeof(long) * (size_t)(j->rows + 1));
    for (long e = 0; e < j->rows * j->listed; e++) start[index[e] + 1]++;
    for (long i = 0; i < j->rows; i++) {
        cursor[i] = start[i];
        start[i + 1] += start[i];
    }
    for (long e = 0; e < j->rows * j->listed; e++) entry[cursor[index[e]]++] = e;
}

static void transposed_task(void *job, int thread, int threads) {
    const rows_job *j = job;
    long first, last;
    share(j->groups, thread, threads, &first, &last);
    for (long group = first; group < last; group++) transpose_lists(j, group);
    team_barrier(threads);
    walk(j, thread, threads, transposed_vectors);
}

INLINE float total(vf a) {
    float lane[VL];
    memcpy(lane, &a, sizeof a);
    UNROLL for (int half = VL / 2; half > 0; half /= 2)
        UNROLL for (int k = 0; k < half; k++) lane[k] += lane[k + half];
    return lane[0];
}

INLINE float dot(const float *a, const float *b, long count) {
    vf even = {0}, odd = {0};
    long k = 0;
    for (; k + 2 * VL <= count; k += 2 * VL) {
        even += vload(a + k) * vload(b + k);
        odd += vload(a + k + VL) * vload(b + k + VL);
    }
    for (; k < count; k += VL) {
        const int lanes = count - k < VL ? (int)(count - k) : VL;
        even += vload_part(a + k, lanes) * vload_part(b + k, lanes);
    }
    return total(even + odd);
}

static void scores_task(void *job, int thread, int threads) {
    const rows_job *j = job;
    long from, to;
    for (long group = 0; group < j->groups; group++) {
        own_rows(j, group, thread, threads, &from, &to);
        for (long column = 0; column < j->columns; column += 2 * CHUNK) {
            const long left = j->columns - column, count = left < 2 * CHUNK ? left : 2 * CHUNK;
            const float *const target = j->values + group * j->values_group + column;
            for (long i = from; i < to; i++) {
                const float *const context =
                    j->other + group * j->other_group + i * j->columns + column;
                const int64_t *const index = j->index + (group * j->rows + i) * j->listed;
                float *const out = j->out + (group * j->rows + i) * (1 + j->listed);
                for (long n = 0; n <= j->listed; n++) {
                    const long row = n ? index[n - 1] : i;
                    const float part = dot(context, target + row * j->columns, count);
                    out[n] = column ? out[n] + part : part;
                }
            }
        }
    }
}

static int in_range(const rows_job *j) {
    const long count = j->groups * j->rows * j->listed;
    uint64_t largest = 0;
    for (long e = 0; e < count; e++)
        if ((uint64_t)j->index[e] > largest) largest = (uint64_t)j->index[e];
    return count == 0 || largest < (uint64_t)j->rows;
}

/* The results: 0 done, -1 no memory, -2 an index is out of range. */
int clapp_sparse_apply(const int64_t *index, const float *coef, const float *values, float *out,
                       long values_group, long groups, long rows, long listed, long columns,
                       int transposed, int threads) {
    rows_job j = {.groups = groups, .rows = rows, .listed = listed, .columns = columns,
                  .index = index, .coef = coef, .values = values, .values_group = values_group,
                  .out = out};
    if (!in_range(&j)) return -2;
    if (!transposed) {
        team_run(apply_task, &j, threads);
        return 0;
    }
    long *lists = malloc(sizeof(long) * (size_t)(groups * (rows * (2 + listed) + 1)) + 1);
    if (!lists) return -1;
    j.start = lists;
    j.cursor = j.start + groups * (rows + 1);
    j.entry = j.cursor + groups * rows;
    team_run(transposed_task, &j, threads);
    free(lists);
    return 0;
}

int clapp_sparse_scores(const int64_t *index, const float *context, const float *target, float *out,
                        long context_group, long target_group, long groups, long rows, long listed,
                        long columns, int threads) {
    rows_job j = {.groups = groups, .rows = rows, .listed = listed, .columns = columns,
                  .index = index, .values = target, .values_group = target_group, .other = context,
                  .other_group = context_group, .out = out};
    if (!in_range(&j)) return -2;
    team_run(scores_task, &j, threads);
    return 0;
}
