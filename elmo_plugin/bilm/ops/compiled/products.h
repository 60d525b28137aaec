/*
 * Products of few rows with a matrix of weights.
 *
 * Weights lie in panels of WIDTH columns, so each of them is read once, in the order in which it lies in memory, for as
 * many rows as have room in registers.
 *
 * Every number is a sum of sums of DEPTH products, all from the first to the last, whatever the rows beside it, the
 * threads and the processor: a row's result is the same to the bit in every batch.
 */

#ifndef ELMO_PRODUCTS_H
#define ELMO_PRODUCTS_H

#include <stdint.h>

/* compiled_program.py has the same number. */
#define WIDTH 16

/* A part of a matrix in panels. */
struct weights {
    const void *numbers;
    int64_t start, panel_stride;
    int are_half;
};

/* Rows and columns of numbers that a product begins with, or its sums; strides are in numbers. */
struct place {
    float *numbers;
    int64_t row_stride, panel_stride;
};

/* sums[p][r][:] = begin[p][r][:] + rows[r][0:depth] panel[p]  for any number of rows and panels. */
__attribute__((visibility("hidden"))) void products(int64_t num_rows, int num_panels, int64_t depth, const float *rows,
                                                    int64_t row_stride, struct weights weights, struct place begin,
                                                    struct place sums);

#endif
