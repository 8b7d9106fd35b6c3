/* What follows the linear part in both directions: bias, ReLU, pooling, codes, features, deltas. */
#ifndef CLAPP_EPILOGUE_H
#define CLAPP_EPILOGUE_H

#include "conv.h"

typedef struct {
    vf bias, sum; /* sum of the outputs for the feature */
    float *y;     /* outputs of this patch from the panel's first column on, or NULL */
    uint8_t *code;
    int lanes;     /* valid lanes */
    vi linear;     /* all bits where nothing is rectified, else none */
    long row, col; /* distances in y and code */
} sink;

/* `lanes` is a constant VL wherever possible, so that partial vectors cost the others nothing. */
INLINE sink sink_open(const conv *c, long patch, int column, const int lanes) {
    const long at = patch * c->out_height * c->out_width * c->outputs + column;
    return (sink){vload_part(c->bias + column, lanes), (vf){0}, c->y ? c->y + at : NULL,
                  c->code ? c->code + at : NULL, lanes, (vi){0} - c->linear,
                  (long)c->out_width * c->outputs, c->outputs};
}

INLINE void sink_close(const conv *c, const sink *s, long patch, int column) {
    const float scale = 1.0f / (float)(c->out_height * c->out_width);
    if (!c->feature) return;
    vstore_part(c->feature + patch * c->outputs + column, s->sum * scale, s->lanes);
}

/* Not "value > 0 ? value : 0": a NaN has to come through. */
INLINE vf relu(vf value, vi linear) { return vkeep(~(value < 0.0f) | linear, value); }

INLINE void sink_put(sink *s, int row, int col, vf value, vi code) {
    const long at = row * s->row + col * s->col;
    const vi active = value > 0.0f;
    value = relu(value, s->linear);
    s->sum += value;
    if (s->y) vstore_part(s->y + at, value, s->lanes);
    if (s->code) bstore_part(s->code + at, code & active, s->lanes);
}

INLINE void sink_single(sink *s, int row, int col, vf value) {
    sink_put(s, row, col, value + s->bias, (vi){0} + 1);
}

/* The window's values in row-major order; the code is 1 + the place of its first maximum. */
INLINE void sink_window(sink *s, int row, int col, vf a0, vf a1, vf a2, vf a3) {
    const vi right = a1 > a0, right_below = a3 > a2;
    const vf top = vpick(right, a1, a0), bottom = vpick(right_below, a3, a2);
    const vi below = bottom > top;
    const vi code = ipick(below, 3 - right_below, 1 - right);
    sink_put(s, row, col, vpick(below, bottom, top) + s->bias, code);
}

/* A NaN can lose the comparisons of a window; where the transform does not spread it over the tile,
   this lets it into the feature all the same. Infinities become NaN there. */
INLINE void sink_show_nan(sink *s, vf a0, vf a1, vf a2, vf a3) {
    s->sum += 0.0f * ((a0 + a1) + (a2 + a3));
}

/* `windows`, a constant, says whether dfeature has a value for every square of the output map. */
typedef struct {
    vf value;   /* dfeature / positions it is averaged over; with windows that of the last place */
    vi counted; /* without windows minus the number of places with a delta */
    vf sum, line; /* with windows the sum of the deltas, of those since the last fold */
    const uint8_t *code;
    const float *dfeature;
    const int *row_at, *col_at;
    float scale;
    int lanes;
    long row, col;
} source;

INLINE source source_open(const conv *c, long patch, int column, const int windows,
                          const int lanes) {
    const long many = windows ? (long)c->window_rows * c->window_cols : 1;
    const int positions = windows ? c->window * c->window : c->out_height * c->out_width;
    source s = {.dfeature = c->dfeature + patch * many * c->outputs + column,
                .code = c->code ? c->code + patch * c->out_height * c->out_width * c->outputs + column : NULL,
                .row_at = c->row_at, .col_at = c->col_at, .scale = 1.0f / (float)positions,
                .lanes = lanes, .row = (long)c->out_width * c->outputs, .col = c->outputs};
    if (!windows) s.value = vload_part(s.dfeature, lanes) * s.scale;
    return s;
}

/* Between lines of places: a sum of sums is exact to more digits than one long sum. */
INLINE void source_fold(source *s) {
    s->sum += s->line;
    s->line = (vf){0};
}

/* `visits`: how often each place was asked for. */
INLINE void source_close(const source *s, float *dbias, int column, const int windows,
                         const int visits) {
    const vf before = vload(dbias + column);
    if (windows) vstore(dbias + column, before + (s->sum + s->line) * (1.0f / (float)visits));
    else vstore(dbias + column, before + s->value * -__builtin_convertvector(s->counted / visits, vf));
}

/* The code of a place; its delta is `value` where the code says so. */
INLINE vi source_code(source *s, int row, int col, const int windows) {
    vi code = (vi){0} + 1;
    if (s->code) code = bload_part(s->code + row * s->row + col * s->col, s->lanes);
    if (windows) {
        s->value = vload_part(s->dfeature + s->row_at[row] + s->col_at[col], s->lanes) * s->scale;
        s->line += vkeep(code != 0, s->value);
    } else s->counted += code != 0;
    return code;
}

#endif
