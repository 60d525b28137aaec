/*
 * The steps of projected LSTM layers there and back, where something is learned. projected_lstm_learning.py calls it;
 * the formula and the names are those of projected_lstm_buffered_steps.py. What all steps have in one product (inputs,
 * gradients of weights) is not done here.
 */

#include <math.h>

#include "activations.h"
#include "chains.h"
#include "products.h"

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

/* Panels that are multiplied at once on the way back, as many as a part has room for. */
#define BLOCKS_BACK 4

/* `packed` tensors at a step, WIDTH cells of its rows. */
struct cells {
    float *gates, *memories, *squashed, *exposed, *memory;
    const float *bias;
};

/* sums: of each gate so many rows as the batch has, WIDTH numbers each. */
static void cells_there(int64_t num_rows, const float *sums, const struct learning_sizes *sizes,
                        struct cells cells) {
    const int64_t cell_dim = sizes->cell_dim, between = sizes->batch_size * WIDTH;
    const vector bound = all(sizes->cell_clip);
    for (int lane = 0; lane < WIDTH; lane += LANES) {
        vector biases[4];
        for (int gate = 0; gate < 4; gate++) biases[gate] = load(cells.bias + gate * cell_dim + lane);
        for (int64_t row = 0; row < num_rows; row++) {
            float *gates = cells.gates + row * sizes->gate_stride + lane;
            const int64_t place = row * sizes->cell_stride + lane;
            /* The next WIDTH cells': pages apart, so that no processor would foresee them. */
            if (lane == 0) {
                for (int gate = 0; gate < 4; gate++) fetch(gates + gate * cell_dim + WIDTH);
                fetch(cells.memories + place + WIDTH);
                fetch(cells.squashed + place + WIDTH);
                fetch(cells.exposed + place + WIDTH);
            }
            vector own[4];
            for (int gate = 0; gate < 4; gate++) {
                const vector sum = load(sums + gate * between + row * WIDTH + lane);
                own[gate] = plus(sum, biases[gate]);
            }
            const struct cell cell = cell_of(own, load(cells.memory + place), bound);
            store(gates, cell.input);
            store(gates + cell_dim, cell.candidate);
            store(gates + 2 * cell_dim, cell.forget);
            store(gates + 3 * cell_dim, cell.output);
            store(cells.memories + place, cell.after);
            store(cells.memory + place, cell.memory);
            store(cells.squashed + place, cell.squashed);
            store(cells.exposed + place, cell.exposed);
        }
    }
}

static void there(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const int64_t between = sizes->batch_size * WIDTH;
    const struct place sums = {chain->at_work + part * 4 * between, WIDTH, between}, nothing = {0, 0, 0};
    struct weights recurrent = {chain->recurrent, 0, dim * WIDTH, 0};
    const struct weights projection = {chain->projection, panels.first * cell_dim * WIDTH, cell_dim * WIDTH, 0};
    const vector bound = all(sizes->projection_clip);
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
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += LANES) {
                const int64_t place = row * sizes->stride + column;
                store(chain->hidden + place, clipped(load(own + place), bound));
            }
        meet(meeting, parts);
    }
}

/* `gradient` where `value` was not clipped, else 0. A value on its own bound is none that was clipped. */
INLINE vector where_kept(vector gradient, vector value, vector bound) {
    return chosen(are_not_above(size_of(value), bound), gradient, zeros());
}

/* y (1 - y) */
INLINE vector sigmoid_slope(vector y) { return without_product(y, y, y); }

/* 1 - y^2 */
INLINE vector tangent_slope(vector y) { return without_product(y, y, all(1.0f)); }

/* WIDTH cells of a step's rows on the way back. */
struct cells_of {
    const float *gates, *memories, *squashed;
    const float *before; /* the memory before the step, still to be clipped with `before_clip` */
    float before_clip;
    float *of_gates, *of_memory;
};

static void cells_back(int64_t num_rows, const float *of_exposed, const struct learning_sizes *sizes,
                       struct cells_of cells) {
    const int64_t cell_dim = sizes->cell_dim;
    const vector bound = all(sizes->cell_clip), before_bound = all(cells.before_clip);
    for (int64_t row = 0; row < num_rows; row++)
        for (int lane = 0; lane < WIDTH; lane += LANES) {
            const int64_t at = row * sizes->gate_stride + lane, place = row * sizes->cell_stride + lane;
            /* As there. */
            if (lane == 0) {
                for (int gate = 0; gate < 4; gate++) {
                    fetch(cells.gates + at + gate * cell_dim + WIDTH);
                    fetch(cells.of_gates + at + gate * cell_dim + WIDTH);
                }
                fetch(cells.memories + place + WIDTH);
                fetch(cells.squashed + place + WIDTH);
                fetch(cells.before + place + WIDTH);
            }
            const float *gates = cells.gates + at;
            const vector input = load(gates), candidate = load(gates + cell_dim);
            const vector forget = load(gates + 2 * cell_dim);
            const vector output = load(gates + 3 * cell_dim);
            const vector squashed = load(cells.squashed + place);
            const vector before = clipped(load(cells.before + place), before_bound);
            const vector exposed = load(of_exposed + row * WIDTH + lane);
            vector memory = load(cells.of_memory + place);
            memory = times_plus(exposed, times(output, tangent_slope(squashed)), memory);
            memory = where_kept(memory, load(cells.memories + place), bound);
            float *of_gates = cells.of_gates + at;
            store(of_gates, times(memory, times(candidate, sigmoid_slope(input))));
            of_gates += cell_dim;
            store(of_gates, times(memory, times(input, tangent_slope(candidate))));
            of_gates += cell_dim;
            store(of_gates, times(memory, times(before, sigmoid_slope(forget))));
            of_gates += cell_dim;
            store(of_gates, times(exposed, times(squashed, sigmoid_slope(output))));
            store(cells.of_memory + place, times(memory, forget));
        }
}

static void back(const void *given, int index, int part, int parts, struct meeting *meeting) {
    const struct learning *chain = ((const struct learning_task *)given)->chains + index;
    const struct learning_sizes *sizes = ((const struct learning_task *)given)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim;
    const struct own blocks = own_of(cell_dim, part, parts), panels = own_of(dim, part, parts);
    const struct place nothing = {0, 0, 0};
    const int64_t between = sizes->batch_size * WIDTH;
    const struct place of_exposed = {chain->at_work + part * 4 * between, WIDTH, between};
    const struct place of_hidden = {chain->of_hidden + panels.first * WIDTH, sizes->stride, WIDTH};
    struct weights projection = {chain->projection, 0, dim * WIDTH, 0};
    const struct weights recurrent = {chain->recurrent, panels.first * 4 * cell_dim * WIDTH, 4 * cell_dim * WIDTH, 0};
    const vector bound = all(sizes->projection_clip);
    int64_t token = 0;
    for (int64_t step = 0; step < sizes->num_steps; step++) token += sizes->rows_per_step[step];
    for (int64_t step = sizes->num_steps - 1; step >= 0; step--) {
        const int64_t rows = sizes->rows_per_step[step];
        token -= rows;
        float *of_projected = chain->of_projected + token * sizes->stride;
        const float *projected = chain->projected + token * sizes->stride;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t column = panels.first * WIDTH; column < panels.last * WIDTH; column += LANES) {
                const int64_t place = row * sizes->stride + column;
                const vector of_output = load(of_projected + place);
                const vector sum = plus(of_output, load(chain->of_hidden + place));
                store(of_projected + place, where_kept(sum, load(projected + place), bound));
            }
        meet(meeting, parts);
        const float *before = chain->memory;
        if (step > 0) before = chain->memories + (token - sizes->rows_per_step[step - 1]) * sizes->cell_stride;
        float *of_gates = chain->of_gates + token * sizes->gate_stride;
        for (int64_t first = blocks.first; first < blocks.last; first += BLOCKS_BACK) {
            const int64_t left = blocks.last - first, count = left < BLOCKS_BACK ? left : BLOCKS_BACK;
            projection.start = first * dim * WIDTH;
            products(rows, (int)count, dim, of_projected, sizes->stride, projection, nothing, of_exposed);
            for (int64_t block = 0; block < count; block++) {
                const int64_t cell = (first + block) * WIDTH, place = token * sizes->cell_stride + cell;
                const struct cells_of cells = {chain->gates + token * sizes->gate_stride + cell,
                                               chain->memories + place,
                                               chain->squashed + place,
                                               before + cell,
                                               step > 0 ? sizes->cell_clip : INFINITY,
                                               of_gates + cell,
                                               chain->of_memory + cell};
                cells_back(rows, of_exposed.numbers + block * of_exposed.panel_stride, sizes, cells);
            }
        }
        meet(meeting, parts);
        products(rows, (int)(panels.last - panels.first), 4 * cell_dim, of_gates, sizes->gate_stride, recurrent,
                 nothing, of_hidden);
    }
}

void elmo_steps_there(int num_chains, const struct learning *chains, const struct learning_sizes *sizes,
                      int num_threads) {
    const struct learning_task task = {chains, sizes};
    run_chains(there, &task, num_chains, num_threads, 0);
}

void elmo_steps_back(int num_chains, const struct learning *chains, const struct learning_sizes *sizes,
                     int num_threads) {
    const struct learning_task task = {chains, sizes};
    run_chains(back, &task, num_chains, num_threads, 0);
}
