/*
 * As many numbers at a time as the processor this is compiled for adds up at once: 16 with AVX-512, 8 with AVX2.
 *
 * Everything above is written with these names alone and adds up in the same order for both, so that a program for the
 * one gives the same bits as a program for the other.
 */

#ifndef ELMO_VECTORS_H
#define ELMO_VECTORS_H

#include <immintrin.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define LANES 16
typedef __m512 vector;
typedef __m512i whole_numbers;
typedef __mmask16 lanes; /* some of a vector's places */

#define OF_VECTOR(NAME) _mm512_##NAME
INLINE vector load_half(const uint16_t *from) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from)); }
INLINE vector nearest(vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vector size_of(vector x) { return _mm512_abs_ps(x); }
INLINE whole_numbers load_whole(const int32_t *from) { return _mm512_loadu_si512(from); }
INLINE void store_whole(int32_t *to, whole_numbers x) { _mm512_storeu_si512(to, x); }

/* Where a number is none; where both differ, or one is none; where `one` is not above `other`, or one is none. */
INLINE lanes are_no_numbers(vector x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
INLINE lanes are_unlike(vector one, vector other) { return _mm512_cmp_ps_mask(one, other, _CMP_NEQ_UQ); }
INLINE lanes are_not_above(vector one, vector other) { return _mm512_cmp_ps_mask(one, other, _CMP_NGT_UQ); }
INLINE lanes but_not(lanes some, lanes others) { return (lanes)(some & ~others); }
/* `one` there, elsewhere `other`. */
INLINE vector chosen(lanes there, vector one, vector other) { return _mm512_mask_blend_ps(there, other, one); }
INLINE whole_numbers chosen_whole(lanes there, whole_numbers one, whole_numbers other) {
    return _mm512_mask_blend_epi32(there, other, one);
}
INLINE whole_numbers all_whole(int32_t x) { return _mm512_set1_epi32(x); }

#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#define LANES 8
typedef __m256 vector;
typedef __m256i whole_numbers;
typedef __m256 lanes;

#define OF_VECTOR(NAME) _mm256_##NAME
INLINE vector load_half(const uint16_t *from) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }
INLINE vector nearest(vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vector size_of(vector x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
INLINE whole_numbers load_whole(const int32_t *from) { return _mm256_loadu_si256((const __m256i *)from); }
INLINE void store_whole(int32_t *to, whole_numbers x) { _mm256_storeu_si256((__m256i *)to, x); }

INLINE lanes are_no_numbers(vector x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
INLINE lanes are_unlike(vector one, vector other) { return _mm256_cmp_ps(one, other, _CMP_NEQ_UQ); }
INLINE lanes are_not_above(vector one, vector other) { return _mm256_cmp_ps(one, other, _CMP_NGT_UQ); }
INLINE lanes but_not(lanes some, lanes others) { return _mm256_andnot_ps(others, some); }
INLINE vector chosen(lanes there, vector one, vector other) { return _mm256_blendv_ps(other, one, there); }
INLINE whole_numbers chosen_whole(lanes there, whole_numbers one, whole_numbers other) {
    return _mm256_blendv_epi8(other, one, _mm256_castps_si256(there));
}
INLINE whole_numbers all_whole(int32_t x) { return _mm256_set1_epi32(x); }

#else
#error "This is for processors with AVX2, FMA and F16C, or with AVX-512: setup.py says so to the compiler."
#endif

INLINE vector zeros(void) { return OF_VECTOR(setzero_ps)(); }
INLINE vector all(float x) { return OF_VECTOR(set1_ps)(x); }
INLINE vector load(const float *from) { return OF_VECTOR(loadu_ps)(from); }
INLINE void store(float *to, vector x) { OF_VECTOR(storeu_ps)(to, x); }
/* Brings a line into the first cache. It may lie behind the end of everything: then nothing happens. */
INLINE void fetch(const float *line) { _mm_prefetch((const char *)line, _MM_HINT_T0); }
INLINE vector plus(vector x, vector y) { return OF_VECTOR(add_ps)(x, y); }
INLINE vector minus(vector x, vector y) { return OF_VECTOR(sub_ps)(x, y); }
INLINE vector times(vector x, vector y) { return OF_VECTOR(mul_ps)(x, y); }
INLINE vector over(vector x, vector y) { return OF_VECTOR(div_ps)(x, y); }
/* x y + z, x y - z, z - x y, rounded once. */
INLINE vector times_plus(vector x, vector y, vector z) { return OF_VECTOR(fmadd_ps)(x, y, z); }
INLINE vector times_minus(vector x, vector y, vector z) { return OF_VECTOR(fmsub_ps)(x, y, z); }
INLINE vector without_product(vector x, vector y, vector z) { return OF_VECTOR(fnmadd_ps)(x, y, z); }
/* The second one where one is not a number. */
INLINE vector smaller(vector x, vector y) { return OF_VECTOR(min_ps)(x, y); }
INLINE vector larger(vector x, vector y) { return OF_VECTOR(max_ps)(x, y); }
/* 2^n of whole numbers from -127 to 127; 0 of -127. */
INLINE vector power_of_two(vector n) {
    whole_numbers exponent = OF_VECTOR(add_epi32)(OF_VECTOR(cvtps_epi32)(n), all_whole(127));
#if LANES == 16
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
#else
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
#endif
}

#endif
