/*
 * A product of any number of rows with one matrix, and a bias. linear_compiled.py calls it.
 */

#include <omp.h>

#include "products.h"

/* So many rows before the next panels, so that they stay in the cache. */
#define ROWS_AT_ONCE 96
#define PANELS_AT_ONCE 4

struct linear {
    const float *rows;  /* (num_rows, in) */
    const void *weight; /* (out / WIDTH, in, WIDTH), float, or of half precision */
    const float *bias;  /* (out) */
    float *outputs;     /* (num_rows, out), or in panels: (out / WIDTH, num_rows, WIDTH); to write into */
    int64_t num_rows, in, out, is_half, in_panels;
};

/* All rows, of the columns those of some panels. */
static void multiply(const struct linear *task, int64_t first, int64_t last) {
    struct weights weights = {task->weight, 0, task->in * WIDTH, (int)task->is_half};
    const int64_t to_row = task->in_panels ? WIDTH : task->out;
    const int64_t to_panel = task->in_panels ? task->num_rows * WIDTH : WIDTH;
    for (int64_t row = 0; row < task->num_rows; row += ROWS_AT_ONCE) {
        const int64_t left = task->num_rows - row, count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
        for (int64_t panel = first; panel < last; panel += PANELS_AT_ONCE) {
            const int num_panels = (int)(last - panel < PANELS_AT_ONCE ? last - panel : PANELS_AT_ONCE);
            const struct place bias = {(float *)task->bias + panel * WIDTH, 0, WIDTH};
            const struct place sums = {task->outputs + row * to_row + panel * to_panel, to_row, to_panel};
            weights.start = panel * task->in * WIDTH;
            products(count, num_panels, task->in, task->rows + row * task->in, task->in, weights, bias, sums);
        }
    }
}

void elmo_linear(const struct linear *task, int num_threads) {
    const int64_t num_panels = task->out / WIDTH;
    if (num_threads <= 1) {
        multiply(task, 0, num_panels);
        return;
    }
#pragma omp parallel num_threads(num_threads)
    {
        const int team = omp_get_num_threads(), own = omp_get_thread_num();
        multiply(task, num_panels * own / team, num_panels * (own + 1) / team);
    }
}
