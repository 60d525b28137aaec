/*
 * The steps of projected LSTM layers there and back, where something is learned, for processors with AVX2 and FMA.
 * projected_lstm_learning.py calls it; the formula and the names are those of projected_lstm_buffered_steps.py. What
 * all steps have in one product (inputs, gradients of weights) is not done here.
 */

#include <math.h>

#include "activations.h"
#include "chains.h"

/*
 * One layer of one direction. Packed rows lie step after step, those that have ended left out. On the way back weights
 * lie across, and `hidden` and `memory` are those before the first step.
 */
struct learning {
    float *gates;            /* packed, 4 * cell_dim: the input's share of them, but for the bias; become activations */
    const float *bias;       /* (4 * cell_dim), there */
    float *memories;         /* packed, cell_dim: before the clip */
    float *squashed;         /* packed, cell_dim */
    float *exposed;          /* packed, cell_dim */
    float *projected;        /* packed, projection_dim: before the clip */
    float *hidden;           /* (batch_size, projection_dim) */
    float *memory;           /* (batch_size, cell_dim) */
    const float *recurrent;  /* (cell_dim / WIDTH, 4, projection_dim, WIDTH); across (projection_dim / WIDTH,
                                4 * cell_dim, WIDTH) */
    const float *projection; /* (projection_dim / WIDTH, cell_dim, WIDTH); across (cell_dim / WIDTH, projection_dim,
                                WIDTH) */
    float *at_work;          /* (threads of this chain, 4, batch_size, WIDTH), to write into */
    /* Of the way back. */
    float *of_gates;     /* packed, 4 * cell_dim, to write into */
    float *of_projected; /* packed, projection_dim: of the outputs; becomes that of `projected` */
    float *of_hidden;    /* (batch_size, projection_dim): of each row's state behind its last step; changed */
    float *of_memory;    /* (batch_size, cell_dim): likewise */
};

struct learning_sizes {
    int64_t num_steps, batch_size, cell_dim, projection_dim;
    const int64_t *rows_per_step;
    float cell_clip, projection_clip; /* infinite where there is none */
    /* From a row of so many numbers to the next: 4 * cell_dim, cell_dim, projection_dim. */
    int64_t gate_stride, cell_stride, stride;
};

struct learning_task {
    const struct learning *chains;
    const struct learning_sizes *sizes;
};

/* Where the columns of some panels begin and end that are a part's. */
struct own {
    int64_t first, last;
};

static struct own own_of(int64_t width, int part, int parts) {
    const int64_t num_panels = width / WIDTH;
    return (struct own){num_panels * part / parts, num_panels * (part + 1) / parts};
}

/* `packed` tensors at a step, WIDTH cells of its rows. */
struct cells {
    float *gates, *memories, *squashed, *exposed, *memory;
    const float *bias;
};

/* sums: of each gate so many rows as the batch has, WIDTH numbers each. */
static FAST void cells_there(int64_t num_rows, const float *sums, const struct learning_sizes *sizes,
                             struct cells cells) {
    const int64_t cell_dim = sizes->cell_dim, between = sizes->batch_size * WIDTH;
    const __m256 bound = _mm256_set1_ps(sizes->cell_clip);
    for (int half = 0; half < WIDTH; half += 8) {
        __m256 biases[4];
        for (int gate = 0; gate < 4; gate++) biases[gate] = _mm256_loadu_ps(cells.bias + gate * cell_dim + half);
        for (int64_t row = 0; row < num_rows; row++) {
            float *gates = cells.gates + row * sizes->gate_stride + half;
            const int64_t place = row * sizes->cell_stride + half;
            __m256 own[4];
            for (int gate = 0; gate < 4; gate++) {
                const __m256 sum = _mm256_loadu_ps(sums + gate * between + row * WIDTH + half);
                own[gate] = _mm256_add_ps(sum, biases[gate]);
            }
            const struct cell cell = cell_of(own, _mm256_loadu_ps(cells.memory + place), bound);
            _mm256_storeu_ps(gates, cell.input);
            _mm256_storeu_ps(gates + cell_dim, cell.candidate);
            _mm256_storeu_ps(gates + 2 * cell_dim, cell.forget);
            _mm256_storeu_ps(gates + 3 * cell_dim, cell.output);
            _mm256_storeu_ps(cells.memories + place, cell.after);
            _mm256_storeu_ps(cells.memory + place, cell.memory);
            _mm256_storeu_ps(cells.squashed + place, cell.squashed);
            _mm256_storeu_ps(cells.exposed + place, cell.exposed);
        }
    }
}

static FAST void there(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const int64_t between = sizes->batch_size * WIDTH;
    const struct place sums = {chain->at_work + part * 4 * between, WIDTH, between}, nothing = {0, 0, 0};
    struct weights recurrent = {chain->recurrent, 0, dim * WIDTH, 0};
    const struct weights projection = {chain->projection, panels.first * cell_dim * WIDTH, cell_dim * WIDTH, 0};
    const __m256 bound = _mm256_set1_ps(sizes->projection_clip);
    for (int64_t step = 0, token = 0; step < sizes->num_steps; token += sizes->rows_per_step[step++]) {
        const int64_t rows = sizes->rows_per_step[step];
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            const int64_t cell = block * WIDTH, place = token * sizes->cell_stride + cell;
            const struct cells cells = {chain->gates + token * sizes->gate_stride + cell,
                                        chain->memories + place,
                                        chain->squashed + place,
                                        chain->exposed + place,
                                        chain->memory + cell,
                                        chain->bias + cell};
            const struct place begin = {cells.gates, sizes->gate_stride, cell_dim};
            recurrent.start = block * 4 * dim * WIDTH;
            products(rows, 4, dim, chain->hidden, sizes->stride, recurrent, begin, sums);
            cells_there(rows, sums.numbers, sizes, cells);
        }
        meet(meeting, parts);
        float *own = chain->projected + token * sizes->stride;
        const struct place projected = {own + panels.first * WIDTH, sizes->stride, WIDTH};
        products(rows, (int)(panels.last - panels.first), cell_dim, chain->exposed + token * sizes->cell_stride,
                 sizes->cell_stride, projection, nothing, projected);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += 8) {
                const int64_t place = row * sizes->stride + column;
                _mm256_storeu_ps(chain->hidden + place, clipped(_mm256_loadu_ps(own + place), bound));
            }
        meet(meeting, parts);
    }
}

/* `gradient` where `value` was not clipped, else 0. A value on its own bound is none that was clipped. */
INLINE __m256 where_kept(__m256 gradient, __m256 value, __m256 bound) {
    const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), value);
    return _mm256_and_ps(gradient, _mm256_cmp_ps(size, bound, _CMP_NGT_UQ));
}

/* y (1 - y) */
INLINE __m256 sigmoid_slope(__m256 y) { return _mm256_fnmadd_ps(y, y, y); }

/* 1 - y^2 */
INLINE __m256 tangent_slope(__m256 y) { return _mm256_fnmadd_ps(y, y, _mm256_set1_ps(1.0f)); }

/* WIDTH cells of a step's rows on the way back. */
struct cells_of {
    const float *gates, *memories, *squashed;
    const float *before; /* the memory before the step, still to be clipped with `before_clip` */
    float before_clip;
    float *of_gates, *of_memory;
};

static FAST void cells_back(int64_t num_rows, const float *of_exposed, const struct learning_sizes *sizes,
                            struct cells_of cells) {
    const int64_t cell_dim = sizes->cell_dim;
    const __m256 bound = _mm256_set1_ps(sizes->cell_clip), before_bound = _mm256_set1_ps(cells.before_clip);
    for (int64_t row = 0; row < num_rows; row++)
        for (int half = 0; half < WIDTH; half += 8) {
            const int64_t at = row * sizes->gate_stride + half, place = row * sizes->cell_stride + half;
            const float *gates = cells.gates + at;
            const __m256 input = _mm256_loadu_ps(gates), candidate = _mm256_loadu_ps(gates + cell_dim);
            const __m256 forget = _mm256_loadu_ps(gates + 2 * cell_dim);
            const __m256 output = _mm256_loadu_ps(gates + 3 * cell_dim);
            const __m256 squashed = _mm256_loadu_ps(cells.squashed + place);
            const __m256 before = clipped(_mm256_loadu_ps(cells.before + place), before_bound);
            const __m256 exposed = _mm256_loadu_ps(of_exposed + row * WIDTH + half);
            __m256 memory = _mm256_loadu_ps(cells.of_memory + place);
            memory = _mm256_fmadd_ps(exposed, _mm256_mul_ps(output, tangent_slope(squashed)), memory);
            memory = where_kept(memory, _mm256_loadu_ps(cells.memories + place), bound);
            float *of_gates = cells.of_gates + at;
            _mm256_storeu_ps(of_gates, _mm256_mul_ps(memory, _mm256_mul_ps(candidate, sigmoid_slope(input))));
            of_gates += cell_dim;
            _mm256_storeu_ps(of_gates, _mm256_mul_ps(memory, _mm256_mul_ps(input, tangent_slope(candidate))));
            of_gates += cell_dim;
            _mm256_storeu_ps(of_gates, _mm256_mul_ps(memory, _mm256_mul_ps(before, sigmoid_slope(forget))));
            of_gates += cell_dim;
            _mm256_storeu_ps(of_gates, _mm256_mul_ps(exposed, _mm256_mul_ps(squashed, sigmoid_slope(output))));
            _mm256_storeu_ps(cells.of_memory + place, _mm256_mul_ps(memory, forget));
        }
}

static FAST void back(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const struct place nothing = {0, 0, 0};
    const struct place of_exposed = {chain->at_work + part * 4 * sizes->batch_size * WIDTH, WIDTH, 0};
    const struct place of_hidden = {chain->of_hidden + panels.first * WIDTH, sizes->stride, WIDTH};
    struct weights projection = {chain->projection, 0, 0, 0};
    const struct weights recurrent = {chain->recurrent, panels.first * 4 * cell_dim * WIDTH, 4 * cell_dim * WIDTH, 0};
    const __m256 bound = _mm256_set1_ps(sizes->projection_clip);
    int64_t token = 0;
    for (int64_t step = 0; step < sizes->num_steps; step++) token += sizes->rows_per_step[step];
    for (int64_t step = sizes->num_steps - 1; step >= 0; step--) {
        const int64_t rows = sizes->rows_per_step[step];
        token -= rows;
        float *of_projected = chain->of_projected + token * sizes->stride;
        const float *projected = chain->projected + token * sizes->stride;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += 8) {
                const int64_t place = row * sizes->stride + column;
                const __m256 of_output = _mm256_loadu_ps(of_projected + place);
                const __m256 sum = _mm256_add_ps(of_output, _mm256_loadu_ps(chain->of_hidden + place));
                _mm256_storeu_ps(of_projected + place, where_kept(sum, _mm256_loadu_ps(projected + place), bound));
            }
        meet(meeting, parts);
        const float *before = chain->memory;
        if (step > 0) before = chain->memories + (token - sizes->rows_per_step[step - 1]) * sizes->cell_stride;
        float *of_gates = chain->of_gates + token * sizes->gate_stride;
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            const int64_t cell = block * WIDTH, place = token * sizes->cell_stride + cell;
            const struct cells_of cells = {chain->gates + token * sizes->gate_stride + cell,
                                           chain->memories + place,
                                           chain->squashed + place,
                                           before + cell,
                                           step > 0 ? sizes->cell_clip : INFINITY,
                                           of_gates + cell,
                                           chain->of_memory + cell};
            projection.start = block * dim * WIDTH;
            products(rows, 1, dim, of_projected, sizes->stride, projection, nothing, of_exposed);
            cells_back(rows, of_exposed.numbers, sizes, cells);
        }
        meet(meeting, parts);
        products(rows, (int)(panels.last - panels.first), 4 * cell_dim, of_gates, sizes->gate_stride, recurrent,
                 nothing, of_hidden);
    }
}

void elmo_steps_there(int num_chains, const struct learning *chains, const struct learning_sizes *sizes,
                      int num_threads) {
    const struct learning_task task = {chains, sizes};
    run_chains(there, &task, num_chains, num_threads);
}

void elmo_steps_back(int num_chains, const struct learning *chains, const struct learning_sizes *sizes,
                     int num_threads) {
    const struct learning_task task = {chains, sizes};
    run_chains(back, &task, num_chains, num_threads);
}
