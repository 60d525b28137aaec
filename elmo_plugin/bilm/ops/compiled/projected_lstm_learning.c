/*
 * The steps of projected LSTM layers there and back, where something is learned, for processors with AVX2 and FMA.
 * projected_lstm_learning.py calls it; the formula and the names are those of projected_lstm_buffered_steps.py. What
 * all steps have in one product (inputs, gradients of weights) is not done here.
 *
 * Rows that a product reads lie in rooms of their own, a little apart (`room_stride`): those of the packed tensors
 * begin a power of two apart, and would push each other out of the first cache.
 */

#include <math.h>

#include "activations.h"
#include "chains.h"

/*
 * One layer of one direction. All rows lie one behind the other; packed ones step after step, those that have ended
 * left out. On the way back weights lie across, and `hidden` and `memory` are those before the first step.
 */
struct learning {
    float *gates;            /* packed, 4 * cell_dim: the input's share of them; becomes the activations */
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
    float *room;             /* (batch_size, room_stride), to write into */
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
    int64_t room_stride;
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
    float *gates, *memories, *squashed, *exposed;
    float *memory, *room;
};

static FAST void cells_there(int64_t num_rows, const float *sums, int64_t gate_stride, float clip, struct cells cells,
                             int64_t cell_dim, int64_t room_stride) {
    const __m256 bound = _mm256_set1_ps(clip);
    for (int64_t row = 0; row < num_rows; row++)
        for (int half = 0; half < WIDTH; half += 8) {
            const float *own = sums + row * WIDTH + half;
            float *gates = cells.gates + row * 4 * cell_dim + half;
            const int64_t place = row * cell_dim + half;
            const __m256 input = sigmoid(_mm256_loadu_ps(own));
            const __m256 candidate = hyperbolic_tangent(_mm256_loadu_ps(own + gate_stride));
            const __m256 forget = sigmoid(_mm256_loadu_ps(own + 2 * gate_stride));
            const __m256 output = sigmoid(_mm256_loadu_ps(own + 3 * gate_stride));
            _mm256_storeu_ps(gates, input);
            _mm256_storeu_ps(gates + cell_dim, candidate);
            _mm256_storeu_ps(gates + 2 * cell_dim, forget);
            _mm256_storeu_ps(gates + 3 * cell_dim, output);
            const __m256 before = _mm256_loadu_ps(cells.memory + place);
            const __m256 after = _mm256_fmadd_ps(forget, before, _mm256_mul_ps(input, candidate));
            const __m256 kept = clipped(after, bound), squashed = hyperbolic_tangent(kept);
            const __m256 exposed = _mm256_mul_ps(output, squashed);
            _mm256_storeu_ps(cells.memories + place, after);
            _mm256_storeu_ps(cells.memory + place, kept);
            _mm256_storeu_ps(cells.squashed + place, squashed);
            _mm256_storeu_ps(cells.exposed + place, exposed);
            _mm256_storeu_ps(cells.room + row * room_stride + half, exposed);
        }
}

static FAST void there(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim, room_stride = sizes->room_stride;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const int64_t gate_stride = sizes->batch_size * WIDTH;
    const struct place sums = {chain->at_work + part * 4 * gate_stride, WIDTH, gate_stride}, nothing = {0, 0, 0};
    struct weights recurrent = {chain->recurrent, 0, dim * WIDTH, 0};
    const struct weights projection = {chain->projection, panels.first * cell_dim * WIDTH, cell_dim * WIDTH, 0};
    const __m256 bound = _mm256_set1_ps(sizes->projection_clip);
    for (int64_t step = 0, token = 0; step < sizes->num_steps; token += sizes->rows_per_step[step++]) {
        const int64_t rows = sizes->rows_per_step[step];
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            const int64_t cell = block * WIDTH, place = token * cell_dim + cell;
            const struct cells cells = {chain->gates + token * 4 * cell_dim + cell, chain->memories + place,
                                        chain->squashed + place, chain->exposed + place, chain->memory + cell,
                                        chain->room + cell};
            const struct place begin = {cells.gates, 4 * cell_dim, cell_dim};
            recurrent.start = block * 4 * dim * WIDTH;
            products(rows, 4, dim, chain->hidden, dim, recurrent, begin, sums);
            cells_there(rows, sums.numbers, gate_stride, sizes->cell_clip, cells, cell_dim, room_stride);
        }
        meet(meeting, parts);
        float *own = chain->projected + token * dim;
        const struct place projected = {own + panels.first * WIDTH, dim, WIDTH};
        products(rows, (int)(panels.last - panels.first), cell_dim, chain->room, room_stride, projection, nothing,
                 projected);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += 8)
                _mm256_storeu_ps(chain->hidden + row * dim + column,
                                 clipped(_mm256_loadu_ps(own + row * dim + column), bound));
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
    float *of_gates, *of_memory, *room;
};

static FAST void cells_back(int64_t num_rows, const float *of_exposed, float clip, float before_clip,
                            struct cells_of cells, int64_t cell_dim, int64_t room_stride) {
    const __m256 bound = _mm256_set1_ps(clip), before_bound = _mm256_set1_ps(before_clip);
    for (int64_t row = 0; row < num_rows; row++)
        for (int half = 0; half < WIDTH; half += 8) {
            const float *gates = cells.gates + row * 4 * cell_dim + half;
            const int64_t place = row * cell_dim + half;
            const __m256 input = _mm256_loadu_ps(gates), candidate = _mm256_loadu_ps(gates + cell_dim);
            const __m256 forget = _mm256_loadu_ps(gates + 2 * cell_dim);
            const __m256 output = _mm256_loadu_ps(gates + 3 * cell_dim);
            const __m256 squashed = _mm256_loadu_ps(cells.squashed + place);
            const __m256 before = clipped(_mm256_loadu_ps(cells.before + place), before_bound);
            const __m256 exposed = _mm256_loadu_ps(of_exposed + row * WIDTH + half);
            __m256 memory = _mm256_loadu_ps(cells.of_memory + place);
            memory = _mm256_fmadd_ps(exposed, _mm256_mul_ps(output, tangent_slope(squashed)), memory);
            memory = where_kept(memory, _mm256_loadu_ps(cells.memories + place), bound);
            const __m256 of[4] = {
                _mm256_mul_ps(memory, _mm256_mul_ps(candidate, sigmoid_slope(input))),
                _mm256_mul_ps(memory, _mm256_mul_ps(input, tangent_slope(candidate))),
                _mm256_mul_ps(memory, _mm256_mul_ps(before, sigmoid_slope(forget))),
                _mm256_mul_ps(exposed, _mm256_mul_ps(squashed, sigmoid_slope(output))),
            };
            for (int gate = 0; gate < 4; gate++) {
                _mm256_storeu_ps(cells.of_gates + row * 4 * cell_dim + gate * cell_dim + half, of[gate]);
                _mm256_storeu_ps(cells.room + row * room_stride + gate * cell_dim + half, of[gate]);
            }
            _mm256_storeu_ps(cells.of_memory + place, _mm256_mul_ps(memory, forget));
        }
}

static FAST void back(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim, room_stride = sizes->room_stride;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const struct place nothing = {0, 0, 0};
    const struct place of_exposed = {chain->at_work + part * 4 * sizes->batch_size * WIDTH, WIDTH, 0};
    const struct place of_hidden = {chain->of_hidden + panels.first * WIDTH, dim, WIDTH};
    struct weights projection = {chain->projection, 0, 0, 0};
    const struct weights recurrent = {chain->recurrent, panels.first * 4 * cell_dim * WIDTH, 4 * cell_dim * WIDTH, 0};
    const __m256 bound = _mm256_set1_ps(sizes->projection_clip);
    int64_t token = 0;
    for (int64_t step = 0; step < sizes->num_steps; step++) token += sizes->rows_per_step[step];
    for (int64_t step = sizes->num_steps - 1; step >= 0; step--) {
        const int64_t rows = sizes->rows_per_step[step];
        token -= rows;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += 8) {
                const int64_t place = (token + row) * dim + column;
                const __m256 of_output = _mm256_loadu_ps(chain->of_projected + place);
                const __m256 of_state = _mm256_loadu_ps(chain->of_hidden + row * dim + column);
                const __m256 value = _mm256_loadu_ps(chain->projected + place);
                _mm256_storeu_ps(chain->of_projected + place,
                                 where_kept(_mm256_add_ps(of_output, of_state), value, bound));
            }
        meet(meeting, parts);
        const float before_clip = step > 0 ? sizes->cell_clip : INFINITY;
        const float *before = chain->memory;
        if (step > 0) before = chain->memories + (token - sizes->rows_per_step[step - 1]) * cell_dim;
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            const int64_t cell = block * WIDTH, place = token * cell_dim + cell;
            const int64_t gate = token * 4 * cell_dim + cell;
            const struct cells_of cells = {chain->gates + gate, chain->memories + place, chain->squashed + place,
                                           before + cell, chain->of_gates + gate, chain->of_memory + cell,
                                           chain->room + cell};
            projection.start = block * dim * WIDTH;
            products(rows, 1, dim, chain->of_projected + token * dim, dim, projection, nothing, of_exposed);
            cells_back(rows, of_exposed.numbers, sizes->cell_clip, before_clip, cells, cell_dim, room_stride);
        }
        meet(meeting, parts);
        products(rows, (int)(panels.last - panels.first), 4 * cell_dim, chain->room, room_stride, recurrent, nothing,
                 of_hidden);
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
