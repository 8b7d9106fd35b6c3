/* Vectors of float32 lanes through the GCC/Clang vector extensions, and the micro-tile they give. */
#ifndef CLAPP_VECTOR_H
#define CLAPP_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VL 16 /* lanes of a vector */
#define MR 12 /* rows of a micro-tile: MR * NV accumulators fill the register file */
#elif defined(__AVX__)
#define VL 8
#define MR 6
#elif defined(__aarch64__)
#define VL 4
#define MR 8
#else
#define VL 4
#define MR 6
#endif
#define NV 2         /* vectors in a row of a micro-tile */
#define NR (NV * VL) /* columns of a panel */

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#define UNROLL_4 _Pragma("GCC unroll 4")
#endif

typedef float vf __attribute__((vector_size(4 * VL), may_alias));
typedef float vf_loose __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * VL), may_alias));
typedef uint8_t vb __attribute__((vector_size(VL), may_alias));
typedef uint8_t vb_loose __attribute__((vector_size(VL), aligned(1), may_alias));

INLINE vf vload(const float *p) { return *(const vf_loose *)p; }
INLINE void vstore(float *p, vf a) { *(vf_loose *)p = a; }
INLINE vf vset(float a) { return a - (vf){0}; }

/* The first `count` lanes; the others are read as zero and left unwritten. */
INLINE vf vload_part(const float *p, int count) {
    vf a = {0};
    if (count >= VL) return vload(p);
    memcpy(&a, p, sizeof(float) * (size_t)count);
    return a;
}
INLINE void vstore_part(float *p, vf a, int count) {
    if (count >= VL) vstore(p, a);
    else memcpy(p, &a, sizeof(float) * (size_t)count);
}
/* GCC makes long detours of these two conversions for AVX2 and AVX-512. */
#if defined(__AVX512F__)
INLINE vi widen(vb a) { return (vi)_mm512_cvtepu8_epi32((__m128i)a); }
INLINE vb narrow(vi a) { return (vb)_mm512_cvtepi32_epi8((__m512i)a); }
#elif defined(__AVX2__)
INLINE vi widen(vb a) {
    __m128i low = _mm_setzero_si128();
    memcpy(&low, &a, sizeof a);
    return (vi)_mm256_cvtepu8_epi32(low);
}
INLINE vb narrow(vi a) {
    const __m256i first_bytes = _mm256_set1_epi32(0x0c080400);
    const __m256i four = _mm256_shuffle_epi8((__m256i)a, first_bytes);
    const __m128i eight =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    vb b;
    memcpy(&b, &eight, sizeof b);
    return b;
}
#else
INLINE vi widen(vb a) { return __builtin_convertvector(a, vi); }
INLINE vb narrow(vi a) { return __builtin_convertvector(a, vb); }
#endif

INLINE vi bload_part(const uint8_t *p, int count) {
    vb a = {0};
    if (count >= VL) a = *(const vb_loose *)p;
    else memcpy(&a, p, (size_t)count);
    return widen(a);
}
INLINE void bstore_part(uint8_t *p, vi a, int count) {
    const vb b = narrow(a);
    if (count >= VL) *(vb_loose *)p = b;
    else memcpy(p, &b, (size_t)count);
}
INLINE vf vpick(vi mask, vf yes, vf no) { return (vf)(((vi)yes & mask) | ((vi)no & ~mask)); }
INLINE vi ipick(vi mask, vi yes, vi no) { return (yes & mask) | (no & ~mask); }
INLINE vf vkeep(vi mask, vf a) { return (vf)((vi)a & mask); }

#endif
