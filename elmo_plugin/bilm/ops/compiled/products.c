/* The products of products.h: panel by panel, some rows at a time in registers. */

#include "products.h"

#include "vectors.h"

/* So many of a sum's products are added before the next panel: WIDTH columns of them are half of a first cache. */
#define DEPTH 256
#define VECTORS (WIDTH / LANES)
/*
 * So many rows at once, by how many panels are. With AVX-512 there are 32 vectors to add to, twice as wide as the 16 of
 * AVX2: from two panels on each number of a row is read for several of them.
 */
#if LANES == 16
#define ROWS_OF_1 12
#define ROWS_OF_2 12
#define ROWS_OF_4 6
#else
#define ROWS_OF_1 6
#define ROWS_OF_2 3
#define ROWS_OF_4 1
#endif
#define MAX_ROWS 12

INLINE vector weights_at(const void *numbers, int64_t place, const int HALF) {
    if (HALF) return load_half((const uint16_t *)numbers + place);
    return load((const float *)numbers + place);
}

/* What is brought into the second cache meanwhile: a line with each product of a sum, `step` bytes apart. */
struct ahead {
    const char *lines;
    int64_t step;
};

/*
 * sums[p][r][:] = begin[p][r][:] + rows[r][0:depth] panel[p]  for ROWS rows and PANELS panels of WIDTH columns.
 * `begin`, which may be the sums themselves, is added last, so that a long sum is one of shorter ones, and rounded
 * less; where it has no numbers, nothing is added.
 */
INLINE void product(const int ROWS, const int PANELS, const int HALF, int64_t depth, const float *rows,
                    int64_t row_stride, struct weights weights, struct ahead ahead, struct place begin,
                    struct place sums) {
    vector sum[4][MAX_ROWS][VECTORS];
#pragma GCC unroll 16
    for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++) sum[p][r][v] = zeros();
#pragma GCC unroll 4
    for (int64_t k = 0; k < depth; k++) {
        _mm_prefetch(ahead.lines + k * ahead.step, _MM_HINT_T1);
        vector weight[4][VECTORS];
#pragma GCC unroll 16
        for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++)
                weight[p][v] =
                    weights_at(weights.numbers, weights.start + p * weights.panel_stride + k * WIDTH + v * LANES, HALF);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++) {
            const vector number = all(rows[r * row_stride + k]);
#pragma GCC unroll 16
            for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++) sum[p][r][v] = times_plus(weight[p][v], number, sum[p][r][v]);
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < PANELS; p++)
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++) {
                if (begin.numbers) {
                    const float *from = begin.numbers + p * begin.panel_stride + r * begin.row_stride + v * LANES;
                    sum[p][r][v] = plus(sum[p][r][v], load(from));
                }
                store(sums.numbers + p * sums.panel_stride + r * sums.row_stride + v * LANES, sum[p][r][v]);
            }
}

/* How many panels at once, where `left` are left. */
INLINE int panels_at_once(int64_t num_rows, int left) {
#if LANES == 16
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
#else
    return left >= 4 && num_rows <= ROWS_OF_4 ? 4 : left >= 2 && num_rows <= ROWS_OF_2 ? 2 : 1;
#endif
}

/* `product` of any number of rows and panels, with a depth of at most DEPTH; next: where the weights behind begin. */
INLINE void products_of(const int HALF, int64_t num_rows, int num_panels, int64_t depth, const float *rows,
                        int64_t row_stride, struct weights weights, int64_t next, struct place begin,
                        struct place sums) {
    const int64_t size = HALF ? sizeof(uint16_t) : sizeof(float);
    for (int panel = 0, at_once; panel < num_panels; panel += at_once) {
        at_once = panels_at_once(num_rows, num_panels - panel);
        struct weights own = weights;
        own.start += panel * weights.panel_stride;
        const int64_t most = at_once == 4 ? ROWS_OF_4 : at_once == 2 ? ROWS_OF_2 : ROWS_OF_1;
        const int64_t groups = (num_rows + most - 1) / most;
        const int64_t coming = panel + at_once < num_panels ? own.start + at_once * own.panel_stride : next;
        int64_t left = num_rows;
        for (int64_t row = 0, group = 0; left > 0; group++) {
            const int64_t count = (left + groups - group - 1) / (groups - group);
            /* The first group waits for its own panels; the others have time to fetch one each of those that come. */
            const int64_t fetched = groups > at_once ? group - 1 : group;
            struct ahead ahead = {(const char *)rows, 0};
            if (groups > 1 && fetched >= 0 && fetched < at_once) {
                ahead.lines = (const char *)own.numbers + size * (coming + fetched * own.panel_stride);
                ahead.step = size * WIDTH;
            }
            struct place from = begin, to = sums;
            if (from.numbers) from.numbers += panel * begin.panel_stride + row * begin.row_stride;
            to.numbers += panel * sums.panel_stride + row * sums.row_stride;
#define PRODUCT(ROWS, PANELS) \
    case ROWS: \
        if (ROWS <= ROWS_OF_##PANELS) \
            product(ROWS <= ROWS_OF_##PANELS ? ROWS : 1, PANELS, HALF, depth, rows + row * row_stride, row_stride, own, \
                    ahead, from, to); \
        break;
#define UP_TO_6(PANELS) \
    PRODUCT(1, PANELS) PRODUCT(2, PANELS) PRODUCT(3, PANELS) PRODUCT(4, PANELS) PRODUCT(5, PANELS) PRODUCT(6, PANELS)
#define UP_TO_12(PANELS) \
    UP_TO_6(PANELS) \
    PRODUCT(7, PANELS) PRODUCT(8, PANELS) PRODUCT(9, PANELS) \
    PRODUCT(10, PANELS) PRODUCT(11, PANELS) PRODUCT(12, PANELS)
            if (at_once == 4) switch (count) { UP_TO_6(4) }
            else if (at_once == 2) switch (count) { UP_TO_12(2) }
            else switch (count) { UP_TO_12(1) }
#undef UP_TO_12
#undef UP_TO_6
#undef PRODUCT
            row += count;
            left -= count;
        }
    }
}

void products(int64_t num_rows, int num_panels, int64_t depth, const float *rows, int64_t row_stride,
              struct weights weights, struct place begin, struct place sums) {
    const int64_t behind = weights.start + num_panels * weights.panel_stride;
    for (int64_t left = depth; left > 0; left -= DEPTH) {
        const int64_t count = left < DEPTH ? left : DEPTH;
        const int64_t next = left > DEPTH ? weights.start + count * WIDTH : behind;
#define PRODUCTS(HALF) products_of(HALF, num_rows, num_panels, count, rows, row_stride, weights, next, begin, sums)
        if (weights.are_half) PRODUCTS(1);
        else PRODUCTS(0);
#undef PRODUCTS
        rows += count;
        weights.start += count * WIDTH;
        begin = sums;
    }
}
