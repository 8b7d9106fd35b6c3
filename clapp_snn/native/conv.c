/* The driver of the convolution: blocks of patches go through V, the products and M (forward) or
   through V, S and the products (update) while they are in cache, so working memory does not grow
   with the number of patches and neither the map before pooling nor a delta is ever stored.

   Either every thread works on blocks of its own ("apart", for layers whose transformed weights
   are small), or all threads share the panels of one block after the other ("together"). The
   partition is fixed by the number of threads and sums are taken in the order of the threads:
   results are reproducible bit by bit. */
#include "conv.h"
#include "gemm.h"
#include "team.h"

#define ROUNDING 1e-6f /* of the largest product behind a weight change */

typedef struct {
    int block;    /* patches whose V is held at a time */
    int group;    /* patches whose M is held at a time, forward only; at most `block` */
    int together; /* all threads on one block, else one block each */
} plan;

typedef struct {
    conv c;
    plan p;
    float *u, *v, *s, *m, *du, *sums; /* of the first thread; the others follow at these distances */
    long v_size, s_size, m_size, du_size, sums_size;
    const long *active; /* update: the patches whose dfeature is not all zero */
} work;

/* An odd number of cache lines: equally placed lines of the products fall into different sets. */
static long odd_lines(long floats) { return (((floats + 15) / 16) | 1) * 16; }

static long smaller(long a, long b) { return a < b ? a : b; }

static void prepare(conv *c) {
    if (c->inputs <= MAX_TAP_INPUTS) c->scheme = &scheme_taps;
    else if (c->height == 2 && c->width == 2) c->scheme = &scheme_pair;
    else c->scheme = &scheme_tiles;
    c->out_height = c->pool ? c->height / 2 : c->height;
    c->out_width = c->pool ? c->width / 2 : c->width;
    if (c->scheme == &scheme_taps) c->rows = c->height * c->width;
    else c->rows = (c->height + 3) / 4 * ((c->width + 3) / 4);
    c->depth = c->scheme->taps * c->inputs;
    c->panels = (c->outputs + NR - 1) / NR;
    c->v_row = (c->depth + VL - 1) / VL * VL;
    if (c->v_row % 256 == 0) c->v_row += 16;
    c->v_patch = c->scheme == &scheme_taps
                     ? odd_lines((long)(c->height + 2) * (c->width + 2) * c->inputs)
                     : c->rows * c->v_row;
    c->u_product = odd_lines((long)c->panels * c->depth * NR);
    c->window_rows = c->window ? c->out_height / c->window : 1;
    c->window_cols = c->window ? c->out_width / c->window : 1;
}

static void place(work *w, const plan *p) {
    w->p = *p;
    if (w->p.block > w->c.patches) w->p.block = w->c.patches > 0 ? (int)w->c.patches : 1;
    if (w->p.group > w->p.block) w->p.group = w->p.block;
    w->c.v_product = odd_lines(w->p.block * w->c.v_patch);
    w->c.s_panel = (long)w->p.block * w->c.rows * NR;
    w->c.s_product = odd_lines(w->c.s_panel * w->c.panels);
    w->c.m_product = odd_lines((long)w->p.group * w->c.rows * NR);
    w->v_size = w->c.scheme->products * w->c.v_product;
    w->s_size = w->c.scheme->accumulate ? 0 : w->c.scheme->products * w->c.s_product;
    w->m_size = w->c.scheme->products * w->c.m_product;
    w->du_size = w->c.scheme->products * w->c.u_product;
    w->sums_size = odd_lines((long)w->c.panels * NR);
}

/* The distance between the weights of the products (or taps) for one input and panel in U. */
static long product_step(const conv *c) {
    return c->scheme->taps == 1 ? c->u_product : (long)c->inputs * NR;
}

static void transform_weights(const work *w, int thread, int threads) {
    const conv *c = &w->c;
    long first, last;
    share((long)c->panels * c->inputs, thread, threads, &first, &last);
    for (long item = first; item < last; item++) {
        const long panel = item / c->inputs, input = item % c->inputs;
        float kernel[9 * NR] = {0};
        for (int j = 0; j < NR && panel * NR + j < c->outputs; j++) {
            const float *from = c->weight + ((panel * NR + j) * c->inputs + input) * 9;
            for (int t = 0; t < 9; t++) kernel[t * NR + j] = from[t];
        }
        c->scheme->weights(kernel, w->u + (panel * c->depth + input) * NR, product_step(c));
    }
}

/* The input of the block to come is loaded little by little beside the products, because its rows
   are read in an order that no prefetcher sees. */
typedef struct {
    const char *at, *end;
    long step;
} ahead;

#define AHEAD_BYTES (128 * 1024) /* more would drive the current block out of the cache */

static ahead look_ahead(const work *w, long block, long blocks, long calls) {
    const conv *c = &w->c;
    const long image = (long)c->height * c->width * c->inputs * (long)sizeof(float);
    const long start = (block + 1) * w->p.block, first = w->active ? 0 : start;
    ahead a = {NULL, NULL, 0};
    if (block + 1 >= blocks || w->p.block * image > AHEAD_BYTES) return a;
    const long patch = w->active ? w->active[start] : first;
    const long last = w->active ? w->active[c->patches - 1] + 1 : c->patches;
    a.at = (const char *)c->x + patch * image;
    a.end = a.at + smaller(w->p.block, last - patch) * image;
    a.step = ((a.end - a.at) / calls / 64 + 1) * 64;
    return a;
}

static void step_ahead(ahead *a) {
    const char *const to = a->end - a->at > a->step ? a->at + a->step : a->end;
    for (; a->at < to; a->at += 64) __builtin_prefetch(a->at, 0, 2);
}

/* The outputs of patches [from, to) of a block in one panel. `v` is the V of the block. */
static void forward_item(const work *w, const float *v, float *m, long block, long from, long to,
                         int panel, ahead *next) {
    const conv *c = &w->c;
    const float *const u = w->u + (long)panel * c->depth * NR;
    if (c->scheme->multiply)
        for (long i = from; i < to; i++)
            c->scheme->multiply(c, v + i * c->v_patch, u, m + (i - from) * c->rows * NR);
    else
        for (int p = 0; p < c->scheme->products; p++) {
            step_ahead(next);
            gemm_rows((int)(to - from) * c->rows, c->depth,
                      v + p * c->v_product + from * c->v_patch, c->v_row, u + p * c->u_product,
                      m + p * c->m_product);
        }
    for (long i = from; i < to; i++)
        c->scheme->outputs(c, block + i, panel, m + (i - from) * c->rows * NR);
}

static void forward_task(void *job, int thread, int threads) {
    const work *w = job;
    const conv *c = &w->c;
    const long blocks = (c->patches + w->p.block - 1) / w->p.block;
    const long image = (long)c->height * c->width * c->inputs;
    float *const m = w->m + thread * w->m_size;
    float *const v = w->p.together ? w->v : w->v + thread * w->v_size;
    long first, last, from, to;

    transform_weights(w, thread, threads);
    team_barrier(threads);
    if (w->p.together) first = 0, last = blocks;
    else share(blocks, thread, threads, &first, &last);
    for (long b = first; b < last; b++) {
        const long start = b * w->p.block, count = smaller(w->p.block, c->patches - start);
        const long groups = (count + w->p.group - 1) / w->p.group;
        if (w->p.together) share(count, thread, threads, &from, &to);
        else from = 0, to = count;
        for (long i = from; i < to; i++)
            c->scheme->inputs(c, c->x + (start + i) * image, v + i * c->v_patch);
        if (w->p.together) {
            team_barrier(threads);
            share(groups * c->panels, thread, threads, &from, &to);
        } else {
            from = 0, to = groups * c->panels;
        }
        ahead next = look_ahead(w, b, last, (to - from) * c->scheme->products);
        for (long item = from; item < to; item++) {
            const long patch = item % groups * w->p.group;
            forward_item(w, v, m, start, patch, smaller(patch + w->p.group, count),
                         (int)(item / groups), &next);
        }
        if (w->p.together) team_barrier(threads);
    }
}

static void products_of_update(const work *w, const float *v, const float *s, float *du, long rows,
                               long first, long last, int add, ahead *next) {
    const conv *c = &w->c;
    for (long item = first; item < last; item++) {
        const long p = item / c->panels, panel = item % c->panels;
        step_ahead(next);
        gemm_columns((int)rows, c->depth, v + p * c->v_product, c->v_row,
                     s + p * c->s_product + panel * c->s_panel,
                     du + p * c->u_product + panel * c->depth * NR, add);
    }
}

/* A bilinear scheme finds a weight change of 0 as a difference of products, and rounding leaves some 1e-7 of them.
   Adam divides a change by its usual size, so what should stay still would walk at full speed: it is set to 0. */
static void drop_rounding(const float *total, int count, float *kernel) {
    vf most[NV] = {{0}};
    for (int p = 0; p < count; p++)
        for (int v = 0; v < NV; v++) {
            const vf value = vload(total + p * NR + v * VL), size = vpick(value < 0.0f, -value, value);
            most[v] = vpick(size > most[v], size, most[v]);
        }
    for (int t = 0; t < 9; t++)
        for (int v = 0; v < NV; v++) {
            const vf value = vload(kernel + t * NR + v * VL), size = vpick(value < 0.0f, -value, value);
            vstore(kernel + t * NR + v * VL, vkeep(~(size < ROUNDING * most[v]), value));
        }
}

/* Sums the threads' dU, transforms it back and stores dweight; likewise the bias. */
static void finish_update(const work *w, long blocks, int thread, int threads) {
    const conv *c = &w->c;
    const long step = product_step(c);
    const int count = c->scheme->products * c->scheme->taps, teams = w->p.together ? 1 : threads;
    long first, last, begin, end;
    share((long)c->panels * c->inputs, thread, threads, &first, &last);
    for (long item = first; item < last; item++) {
        const long panel = item / c->inputs, input = item % c->inputs;
        float total[MAX_PRODUCTS * NR] = {0}, kernel[9 * NR];
        for (int team = 0; team < teams; team++) {
            share(blocks, team, teams, &begin, &end);
            if (begin == end) continue;
            const float *du = w->du + team * w->du_size + (panel * c->depth + input) * NR;
            for (int p = 0; p < count; p++)
                for (int k = 0; k < NR; k++) total[p * NR + k] += du[p * step + k];
        }
        c->scheme->gradients(total, NR, kernel);
        if (c->scheme->taps == 1) drop_rounding(total, count, kernel);
        for (int j = 0; j < NR && panel * NR + j < c->outputs; j++) {
            float *to = c->dweight + ((panel * NR + j) * c->inputs + input) * 9;
            for (int t = 0; t < 9; t++) to[t] = kernel[t * NR + j];
        }
    }
    if (thread == 0)
        for (int j = 0; j < c->outputs; j++) {
            float total = 0;
            for (int t = 0; t < threads; t++) total += w->sums[t * w->sums_size + j];
            c->dbias[j] = total;
        }
}

static void update_task(void *job, int thread, int threads) {
    const work *w = job;
    const conv *c = &w->c;
    const long blocks = (c->patches + w->p.block - 1) / w->p.block;
    const long image = (long)c->height * c->width * c->inputs;
    const long products = (long)c->scheme->products * c->panels;
    const int team = w->p.together ? 0 : thread;
    float *const v = w->v + team * w->v_size, *const s = w->s + team * w->s_size;
    float *const du = w->du + team * w->du_size, *const sums = w->sums + thread * w->sums_size;
    long first, last, from, to;

    memset(sums, 0, sizeof(float) * (size_t)w->sums_size);
    if (c->scheme->accumulate) memset(du, 0, sizeof(float) * (size_t)w->du_size);
    if (w->p.together) first = 0, last = blocks;
    else share(blocks, thread, threads, &first, &last);
    for (long b = first; b < last; b++) {
        const long start = b * w->p.block, count = smaller(w->p.block, c->patches - start);
        if (w->p.together) share(count, thread, threads, &from, &to);
        else from = 0, to = count;
        for (long i = from; i < to; i++) {
            const long patch = w->active[start + i];
            c->scheme->inputs(c, c->x + patch * image, v + i * c->v_patch);
            if (c->scheme->accumulate)
                c->scheme->accumulate(c, patch, v + i * c->v_patch, du, sums);
            else c->scheme->deltas(c, patch, s + i * c->rows * NR, sums);
        }
        if (c->scheme->accumulate) continue;
        if (w->p.together) {
            team_barrier(threads);
            share(products, thread, threads, &from, &to);
        } else {
            from = 0, to = products;
        }
        ahead next = look_ahead(w, b, last, to - from);
        products_of_update(w, v, s, du, count * c->rows, from, to, b > first, &next);
        if (w->p.together) team_barrier(threads);
    }
    team_barrier(threads);
    finish_update(w, blocks, thread, threads);
}

static float *carve(char **memory, long floats) {
    float *const at = (float *)*memory;
    *memory += ((size_t)floats * sizeof(float) + 63) / 64 * 64;
    return at;
}

#define SPARE (64 * 8) /* rounding of the pieces */

/* `linear`: without rectification. */
int clapp_conv_forward(const float *x, const float *weight, const float *bias, float *y,
                       uint8_t *code, float *feature, long patches, int height, int width,
                       int inputs, int outputs, int pool, int threads, const plan *how, int linear) {
    work w = {.c = {.patches = patches, .height = height, .width = width, .inputs = inputs,
                    .outputs = outputs, .pool = pool, .linear = linear, .x = x, .weight = weight, .bias = bias,
                    .y = y, .code = code, .feature = feature}};
    prepare(&w.c);
    place(&w, how);
    const long v_total = w.v_size * (w.p.together ? 1 : threads), m_total = w.m_size * threads;
    char *memory = scratch((size_t)(w.du_size + v_total + m_total) * sizeof(float) + SPARE);
    if (!memory) return -1;
    w.u = carve(&memory, w.du_size);
    w.v = carve(&memory, v_total);
    w.m = carve(&memory, m_total);
    team_run(forward_task, &w, threads);
    return 0;
}

/* `window`: the side of the squares of outputs that have a dfeature each and fill the map; 0: one for all. */
int clapp_conv_update(const float *x, const uint8_t *code, const float *dfeature, float *dweight,
                      float *dbias, long patches, int height, int width, int inputs, int outputs,
                      int pool, int threads, const plan *how, int window) {
    work w = {.c = {.patches = patches, .height = height, .width = width, .inputs = inputs,
                    .outputs = outputs, .pool = pool, .window = window, .x = x,
                    .code = (uint8_t *)code, .dfeature = dfeature, .dweight = dweight, .dbias = dbias}};
    prepare(&w.c);
    place(&w, how);
    const int teams = w.p.together ? 1 : threads;
    const int places = window ? w.c.out_height + w.c.out_width : 0;
    const long floats = (w.v_size + w.s_size + w.du_size) * teams + w.sums_size * threads;
    char *memory = scratch((size_t)floats * sizeof(float) + sizeof(int) * (size_t)places +
                           sizeof(long) * (size_t)patches + SPARE);
    if (!memory) return -1;
    w.v = carve(&memory, w.v_size * teams);
    w.s = carve(&memory, w.s_size * teams);
    w.du = carve(&memory, w.du_size * teams);
    w.sums = carve(&memory, w.sums_size * threads);
    int *const place_of = (int *)carve(&memory, places);
    if (window) {
        for (int row = 0; row < w.c.out_height; row++)
            place_of[row] = row / window * w.c.window_cols * outputs;
        for (int col = 0; col < w.c.out_width; col++)
            place_of[w.c.out_height + col] = col / window * outputs;
        w.c.row_at = place_of;
        w.c.col_at = place_of + w.c.out_height;
    }

    const long values = (long)w.c.window_rows * w.c.window_cols * outputs;
    long *active = (long *)memory, found = 0;
    for (long i = 0; i < patches; i++)
        for (long j = 0; j < values; j++)
            if (dfeature[i * values + j] != 0) {
                active[found++] = i;
                break;
            }
    w.active = active;
    w.c.patches = found;
    team_run(update_task, &w, threads);
    return 0;
}
