/* Neurons that compete at every place of a map (channels last), after their convolution.

   `clapp_fire`: the output z = pool(rho(u - mean of u over the neurons of the place)^p), or without the mean.
   `clapp_soft_winner`: the plastic signal s_k y_k of SoftHebb and the sums of s_k y_k u_k that its decay needs. */
#if !defined(__clang__)
#pragma GCC optimize("no-math-errno", "no-trapping-math")
#endif
#include <float.h>
#include <math.h>

#include "elementary.h"
#include "team.h"

#define LINE 64 /* places whose sums are taken together: a sum of sums is exact to more digits */

typedef struct {
    const float *u;
    float *z;
    long images;
    int height, width, channels; /* of u */
    int pool, compete;
    float power;
} firing;

typedef struct {
    float *u;      /* in: summed input; out: signal */
    float *memory; /* of every thread: its sums, those of its line, a place; `padded` floats each */
    long places;
    int channels, padded;
    float inverse_temperature;
} contest;

INLINE int lower(int a, int b) { return a < b ? a : b; }

INLINE float sum_lanes(vf a) {
    float total = 0;
    UNROLL for (int j = 0; j < VL; j++) total += a[j];
    return total;
}

/* x^p for x >= 0 and p > 0; what is below the normal numbers counts as 0, what exceeds exp(87) as infinity,
   and infinity and NaN come through. */
INLINE void raise(float *x, float p, int count) {
    for (int j = 0; j < count; j++) {
        const float exponent = p * log_of(x[j]);
        float power = exp_of(exponent);
        power = exponent > 87.0f ? INFINITY : exponent < -87.0f ? 0.0f : power;
        x[j] = x[j] >= FLT_MIN && x[j] <= FLT_MAX ? power : x[j] < FLT_MIN ? 0.0f : x[j];
    }
}

INLINE float mean_of(const float *u, int channels) {
    vf total = {0};
    for (int k = 0; k < channels; k += VL) total += vload_part(u + k, channels - k);
    return sum_lanes(total) / (float)channels;
}

/* One place of the output from its `corners` (1, or 4 with pooling). */
INLINE void fire_place(const firing *f, const float *u, float *z, const int corners) {
    const long down = (long)f->width * f->channels;
    const float *at[4] = {u, u + f->channels, u + down, u + down + f->channels};
    float mean[4] = {0};
    if (f->compete)
        for (int i = 0; i < corners; i++) mean[i] = mean_of(at[i], f->channels);
    for (int k = 0; k < f->channels; k += VL) {
        const int lanes = lower(VL, f->channels - k);
        vf most = vload_part(at[0] + k, lanes) - mean[0], all = most;
        for (int i = 1; i < corners; i++) {
            const vf next = vload_part(at[i] + k, lanes) - mean[i];
            most = vpick(next > most, next, most);
            all += next; /* a NaN can lose the comparison, but not here */
        }
        most = vpick(all != all, all, vkeep(~(most < 0.0f), most));
        vstore_part(z + k, most, lanes);
    }
    if (f->power != 1.0f) raise(z, f->power, f->channels);
}

static void fire_task(void *job, int thread, int threads) {
    const firing *const f = job;
    const int side = f->pool ? 2 : 1, rows = f->height / side, cols = f->width / side;
    long first, last;
    share(f->images * rows, thread, threads, &first, &last);
    for (long line = first; line < last; line++) {
        const float *u = f->u + (line / rows * f->height + line % rows * side) * f->width * f->channels;
        float *z = f->z + line * cols * f->channels;
        for (int col = 0; col < cols; col++, u += side * f->channels, z += f->channels)
            if (f->pool) fire_place(f, u, z, 4);
            else fire_place(f, u, z, 1);
    }
}

INLINE float largest_of(const float *u, int channels) {
    float best = u[0];
    int k = 0;
    if (channels >= VL) {
        vf most = vload(u);
        for (k = VL; k + VL <= channels; k += VL) {
            const vf next = vload(u + k);
            most = vpick(next > most, next, most);
        }
        best = most[0];
        UNROLL for (int j = 1; j < VL; j++) best = most[j] > best ? most[j] : best;
    }
    for (; k < channels; k++) best = u[k] > best ? u[k] : best;
    return best;
}

/* Softmax over the neurons of a place, negative for all but the winner (or winners, in a draw). */
INLINE void win_place(const contest *c, float *u, float *y, float *line) {
    const float best = largest_of(u, c->channels), inverse_temperature = c->inverse_temperature;
    const int channels = c->channels;
    vf total = {0};
    for (int k = 0; k < channels; k++) y[k] = exp_of(inverse_temperature * (u[k] - best));
    for (int k = 0; k < channels; k += VL) total += vload_part(y + k, channels - k);
    const float scale = 1.0f / sum_lanes(total);
    for (int k = 0; k < c->channels; k += VL) {
        const int lanes = lower(VL, c->channels - k);
        const vf here = vload_part(u + k, lanes), share_of = vload(y + k) * scale;
        const vf signal = vpick(here == best, share_of, -share_of);
        vstore(line + k, vload(line + k) + signal * here);
        vstore_part(u + k, signal, lanes);
    }
}

static void contest_task(void *job, int thread, int threads) {
    const contest *const c = job;
    float *const sums = c->memory + (long)thread * 3 * c->padded;
    float *const line = sums + c->padded, *const y = line + c->padded;
    long first, last;
    share(c->places, thread, threads, &first, &last);
    for (long place = first; place < last; place++) {
        win_place(c, c->u + place * c->channels, y, line);
        if ((place - first) % LINE < LINE - 1 && place + 1 < last) continue;
        for (int k = 0; k < c->padded; k++) sums[k] += line[k];
        memset(line, 0, sizeof(float) * (size_t)c->padded);
    }
}

void clapp_fire(const float *u, float *z, long images, int height, int width, int channels, int pool,
                int compete, float power, int threads) {
    firing f = {u, z, images, height, width, channels, pool, compete, power};
    team_run(fire_task, &f, threads);
}

int clapp_soft_winner(float *u, float *sums, long places, int channels, float inverse_temperature,
                      int threads) {
    const int padded = (channels + VL - 1) / VL * VL;
    const size_t bytes = sizeof(float) * 3 * (size_t)padded * (size_t)threads;
    float *const memory = scratch(bytes);
    if (!memory) return -1;
    memset(memory, 0, bytes);
    contest c = {u, memory, places, channels, padded, inverse_temperature};
    team_run(contest_task, &c, threads);
    for (int k = 0; k < channels; k++) {
        sums[k] = 0;
        for (int thread = 0; thread < threads; thread++) sums[k] += memory[(long)thread * 3 * padded + k];
    }
    return 0;
}
