/* Exponential and logarithm that compilers turn into vectors; without contraction the same on every machine. */
#ifndef CLAPP_ELEMENTARY_H
#define CLAPP_ELEMENTARY_H

#include "vector.h"

/* exp: 2^n times a polynomial (relative error below 3e-7); beyond +-87 as there. */
INLINE float exp_of(float x) {
    const float clipped = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
    /* Adding 1.5 * 2^23 and taking it away rounds to the nearest whole number. */
    const float n = clipped * 1.44269502162933349609375f + 12582912.0f - 12582912.0f;
    const float f = (clipped - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.0f / 720.0f;
    p = p * f + 1.0f / 120.0f;
    p = p * f + 1.0f / 24.0f;
    p = p * f + 1.0f / 6.0f;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

/* Natural logarithm of a normal positive number: a polynomial around 1 (error below 1.2e-7). */
INLINE float log_of(float x) {
    int32_t bits, mantissa;
    memcpy(&bits, &x, 4);
    int32_t exponent = (bits >> 23) - 127;
    const int32_t above = (bits & 0x7fffff) > 0x3504f3; /* mantissa beyond sqrt 2 */
    exponent += above;
    mantissa = (bits & 0x7fffff) | (above ? 126 << 23 : 127 << 23);
    float m;
    memcpy(&m, &mantissa, 4);
    const float f = m - 1.0f;
    float p = -0.07673641294240952f;
    p = p * f + 0.12722672522068024f;
    p = p * f + -0.13127554953098297f;
    p = p * f + 0.14204855263233185f;
    p = p * f + -0.16626645624637604f;
    p = p * f + 0.20001234114170074f;
    p = p * f + -0.2500078082084656f;
    p = p * f + 0.3333333134651184f;
    p = p * f + -0.4999999701976776f;
    return (float)exponent * 0.6931471824645996f + (f + f * f * p);
}

#endif
