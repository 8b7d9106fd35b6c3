/* Random numbers that are a function of (key, stream, sample, step, neuron) and of nothing else.

   Philox 4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405). One block of four words serves four
   neurons: 32 neighbours share eight blocks, and word w of block b belongs to neuron 8 w + b of the 32.
   Normal numbers are Box-Muller pairs from additions, products and square roots only, in a fixed order
   and without fused operations, so that any IEEE machine computes the same bits. Files that include this
   header must switch contraction off. */
#ifndef CLAPP_COUNTER_H
#define CLAPP_COUNTER_H

#include <math.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "elementary.h"
#include "vector.h"

#define GROUP 32 /* neurons that are drawn together */

enum { STREAM_EVENT, STREAM_BURST, STREAM_INTERVAL, STREAM_FIRST };

typedef struct {
    uint32_t key[2];
    uint32_t step, sample, stream;
} counter;

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* The four words of one block. */
INLINE void philox(uint32_t word[4], uint32_t block, counter c) {
    uint32_t a = block, b = c.step, d = c.sample, e = c.stream, k0 = c.key[0], k1 = c.key[1];
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        const uint64_t p0 = (uint64_t)PHILOX_M0 * a, p1 = (uint64_t)PHILOX_M1 * d;
        a = (uint32_t)(p1 >> 32) ^ b ^ k0;
        d = (uint32_t)(p0 >> 32) ^ e ^ k1;
        b = (uint32_t)p1;
        e = (uint32_t)p0;
    }
    word[0] = a, word[1] = b, word[2] = d, word[3] = e;
}

/* The words of eight blocks: word w of block b is word[8 w + b]. */
INLINE void words_of_blocks(uint32_t word[GROUP], const uint32_t block[8], counter c) {
#if defined(__AVX2__)
    /* 64-bit lanes whose upper halves the products ignore; even and odd blocks apart. */
    __m256i a[2], b[2], d[2], e[2];
    const __m256i m0 = _mm256_set1_epi64x(PHILOX_M0), m1 = _mm256_set1_epi64x(PHILOX_M1);
    uint32_t k0 = c.key[0], k1 = c.key[1];
    const __m256i blocks = _mm256_loadu_si256((const __m256i *)block);
    UNROLL for (int odd = 0; odd < 2; odd++) {
        a[odd] = odd ? _mm256_srli_epi64(blocks, 32) : blocks;
        b[odd] = _mm256_set1_epi64x(c.step);
        d[odd] = _mm256_set1_epi64x(c.sample);
        e[odd] = _mm256_set1_epi64x(c.stream);
    }
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        const __m256i key0 = _mm256_set1_epi64x(k0), key1 = _mm256_set1_epi64x(k1);
        UNROLL for (int odd = 0; odd < 2; odd++) {
            const __m256i p0 = _mm256_mul_epu32(a[odd], m0), p1 = _mm256_mul_epu32(d[odd], m1);
            a[odd] = _mm256_xor_si256(_mm256_xor_si256(b[odd], key0), _mm256_srli_epi64(p1, 32));
            d[odd] = _mm256_xor_si256(_mm256_xor_si256(e[odd], key1), _mm256_srli_epi64(p0, 32));
            b[odd] = p1;
            e[odd] = p0;
        }
    }
    const __m256i *const all[4] = {a, b, d, e};
    UNROLL for (int w = 0; w < 4; w++) {
        const __m256i upper = _mm256_slli_epi64(all[w][1], 32);
        _mm256_storeu_si256((__m256i *)(word + 8 * w), _mm256_blend_epi32(all[w][0], upper, 0xAA));
    }
#else
    for (int b = 0; b < 8; b++) {
        uint32_t four[4];
        philox(four, block[b], c);
        for (int w = 0; w < 4; w++) word[8 * w + b] = four[w];
    }
#endif
}

/* The words of the 32 neurons from 32 * group on. */
INLINE void words_of_group(uint32_t word[GROUP], uint32_t group, counter c) {
    uint32_t block[8];
    for (uint32_t b = 0; b < 8; b++) block[b] = 8 * group + b;
    words_of_blocks(word, block, c);
}

/* The word of one neuron, the same as `words_of_group` gives it. */
INLINE uint32_t word_of_neuron(long neuron, counter c) {
    uint32_t four[4];
    philox(four, (uint32_t)(neuron / GROUP * 8 + neuron % 8), c);
    return four[neuron / 8 % 4];
}

/* In [0, 1): 24 bits. */
INLINE float uniform_of(uint32_t word) { return (float)(int32_t)(word >> 8) * 0x1p-24f; }

/* In (0, 1]: 31 bits, fine near 0. */
INLINE float positive_of(uint32_t word) {
    return ((float)(int32_t)(word >> 1) + 0.5f) * 0x1p-31f;
}

/* 32 independent standard normal numbers: the first 16 words give radii, the others angles. */
INLINE void normals_of_group(float normal[GROUP], const uint32_t word[GROUP]) {
    for (int j = 0; j < GROUP / 2; j++) {
        const float radius = sqrtf(-2.0f * log_of(positive_of(word[j])));
        /* An eighth of the circle on either side of an axis, then one of four axes. */
        const uint32_t angle = word[j + GROUP / 2];
        const float x = (float)(int32_t)(angle << 2) * 3.65729529994141e-10f; /* pi / 2 / 2^32 */
        const float z = x * x;
        float s = -0.00019587890710681677f, c = 2.454794230288826e-05f;
        s = s * z + 0.008332747966051102f;
        s = s * z + -0.166666641831398f;
        s = s * z * x + x;
        c = c * z + -0.001388830249197781f;
        c = c * z + 0.0416666641831398f;
        c = c * z * z + (1.0f - 0.5f * z);
        const int swap = (angle & 0x40000000u) != 0;
        const float side = (angle & 0x80000000u) ? -radius : radius;
        normal[j] = side * (swap ? s : c);
        normal[j + GROUP / 2] = side * (swap ? c : s);
    }
}

#endif
