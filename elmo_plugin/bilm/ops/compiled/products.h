/*
 * Products of few rows with a matrix of weights, for processors with AVX2 and FMA.
 *
 * Weights lie in panels of WIDTH columns, so each of them is read once, in the order in which it lies in memory, for up
 * to MAX_ROWS rows that are held in registers.
 *
 * Every number is a sum of sums of DEPTH products, all from the first to the last, whatever the rows beside it and the
 * threads: a row's result is the same to the bit in every batch.
 */

#ifndef ELMO_PRODUCTS_H
#define ELMO_PRODUCTS_H

#include <immintrin.h>
#include <stdint.h>

/* compiled_program.py has the same number. */
#define WIDTH 16
#define MAX_ROWS 6
/* So many of a sum's products are added before the next panel: WIDTH columns of them are half of a first cache. */
#define DEPTH 256
#define FAST __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) FAST

/* A part of a matrix in panels. */
struct weights {
    const void *numbers;
    int64_t start, panel_stride;
    int are_half;
};

INLINE __m256 eight(const void *numbers, int64_t place, const int HALF) {
    if (HALF) return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)((const uint16_t *)numbers + place)));
    return _mm256_loadu_ps((const float *)numbers + place);
}

/* Rows and columns of numbers that a product begins with, or its sums; strides are in numbers. */
struct place {
    float *numbers;
    int64_t row_stride, panel_stride;
};

/*
 * sums[p][r][:] = begin[p][r][:] + rows[r][0:depth] panel[p]  for ROWS rows and PANELS panels of WIDTH columns.
 * `begin`, which may be the sums themselves, is added last, so that a long sum is one of shorter ones, and rounded
 * less; where it has no numbers, nothing is added.
 */
INLINE void product(const int ROWS, const int PANELS, const int HALF, int64_t depth, const float *rows,
                    int64_t row_stride, struct weights weights, struct place begin, struct place sums) {
    __m256 sum[4][MAX_ROWS][2];
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) sum[p][r][0] = sum[p][r][1] = _mm256_setzero_ps();
    for (int64_t k = 0; k < depth; k++) {
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; p++) {
            const int64_t at = weights.start + p * weights.panel_stride + k * WIDTH;
            __m256 first = eight(weights.numbers, at, HALF), second = eight(weights.numbers, at + 8, HALF);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) {
                __m256 number = _mm256_broadcast_ss(rows + r * row_stride + k);
                sum[p][r][0] = _mm256_fmadd_ps(first, number, sum[p][r][0]);
                sum[p][r][1] = _mm256_fmadd_ps(second, number, sum[p][r][1]);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            float *to = sums.numbers + p * sums.panel_stride + r * sums.row_stride;
            if (begin.numbers) {
                const float *from = begin.numbers + p * begin.panel_stride + r * begin.row_stride;
                sum[p][r][0] = _mm256_add_ps(sum[p][r][0], _mm256_loadu_ps(from));
                sum[p][r][1] = _mm256_add_ps(sum[p][r][1], _mm256_loadu_ps(from + 8));
            }
            _mm256_storeu_ps(to, sum[p][r][0]);
            _mm256_storeu_ps(to + 8, sum[p][r][1]);
        }
}

/* `product` of any number of rows and panels, with a depth of at most DEPTH. */
INLINE void products_of(const int HALF, int64_t num_rows, int num_panels, int64_t depth, const float *rows,
                        int64_t row_stride, struct weights weights, struct place begin, struct place sums) {
    int at_once = num_rows == 1 ? 4 : num_rows <= 3 ? 2 : 1;
    for (int panel = 0; panel < num_panels; panel += at_once) {
        if (num_panels - panel < at_once) at_once = 1;
        struct weights own = weights;
        own.start += panel * weights.panel_stride;
        int64_t left = num_rows, groups = (num_rows + MAX_ROWS - 1) / MAX_ROWS;
        for (int64_t row = 0; left > 0; groups--) {
            int64_t count = (left + groups - 1) / groups;
            struct place from = begin, to = sums;
            if (from.numbers) from.numbers += panel * begin.panel_stride + row * begin.row_stride;
            to.numbers += panel * sums.panel_stride + row * sums.row_stride;
#define PRODUCT(ROWS, PANELS) product(ROWS, PANELS, HALF, depth, rows + row * row_stride, row_stride, own, from, to)
            if (at_once == 4) PRODUCT(1, 4);
            else if (at_once == 2) switch (count) {
                case 1: PRODUCT(1, 2); break;
                case 2: PRODUCT(2, 2); break;
                default: PRODUCT(3, 2);
            }
            else switch (count) {
                case 1: PRODUCT(1, 1); break;
                case 2: PRODUCT(2, 1); break;
                case 3: PRODUCT(3, 1); break;
                case 4: PRODUCT(4, 1); break;
                case 5: PRODUCT(5, 1); break;
                default: PRODUCT(6, 1);
            }
#undef PRODUCT
            row += count;
            left -= count;
        }
    }
}

/* sums[p][r][:] = begin[p][r][:] + rows[r][0:depth] panel[p]  for any number of rows and panels. */
static FAST void products(int64_t num_rows, int num_panels, int64_t depth, const float *rows, int64_t row_stride,
                          struct weights weights, struct place begin, struct place sums) {
    for (int64_t left = depth; left > 0; left -= DEPTH) {
        const int64_t count = left < DEPTH ? left : DEPTH;
        if (weights.are_half) products_of(1, num_rows, num_panels, count, rows, row_stride, weights, begin, sums);
        else products_of(0, num_rows, num_panels, count, rows, row_stride, weights, begin, sums);
        rows += count;
        weights.start += count * WIDTH;
        begin = sums;
    }
}

#endif
