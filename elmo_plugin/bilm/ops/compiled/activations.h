/* Activations of gates, and cells, eight numbers at a time. */

#ifndef ELMO_ACTIVATIONS_H
#define ELMO_ACTIVATIONS_H

#include "products.h"

/* e^x to 2 units of the last place, of -88 and 88 at most; not a number stays so. */
INLINE __m256 exponential(__m256 x) {
    /* The bound comes first: _mm256_min_ps gives its second argument where one is not a number. */
    x = _mm256_max_ps(_mm256_set1_ps(-88.0f), _mm256_min_ps(_mm256_set1_ps(88.0f), x));
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504089f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    /* ln 2 in two parts, the first with few digits, so that its products with n are exact. */
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), x);
    __m256 y = _mm256_set1_ps(1.0f / 5040);
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f / 720));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f / 120));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f / 24));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f / 6));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(0.5f));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f));
    y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(1.0f));
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
}

INLINE __m256 sigmoid(__m256 x) {
    __m256 one = _mm256_set1_ps(1.0f);
    return _mm256_div_ps(one, _mm256_add_ps(one, exponential(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

/* 2 sigmoid(2 x) - 1 */
INLINE __m256 hyperbolic_tangent(__m256 x) {
    return _mm256_fmsub_ps(_mm256_set1_ps(2.0f), sigmoid(_mm256_add_ps(x, x)), _mm256_set1_ps(1.0f));
}

INLINE __m256 clipped(__m256 x, __m256 bound) {
    return _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), bound), _mm256_min_ps(bound, x));
}

/* What becomes of the gates of eight cells; `after` is before the clip, `memory` behind it. */
struct cell {
    __m256 input, candidate, forget, output, after, memory, squashed, exposed;
};

/* gates: before their activations; before: the memory before the step. */
INLINE struct cell cell_of(const __m256 *gates, __m256 before, __m256 bound) {
    struct cell cell;
    cell.input = sigmoid(gates[0]);
    cell.candidate = hyperbolic_tangent(gates[1]);
    cell.forget = sigmoid(gates[2]);
    cell.output = sigmoid(gates[3]);
    cell.after = _mm256_fmadd_ps(cell.forget, before, _mm256_mul_ps(cell.input, cell.candidate));
    cell.memory = clipped(cell.after, bound);
    cell.squashed = hyperbolic_tangent(cell.memory);
    cell.exposed = _mm256_mul_ps(cell.output, cell.squashed);
    return cell;
}

#endif
