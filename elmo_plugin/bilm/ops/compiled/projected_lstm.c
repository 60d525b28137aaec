/*
 * The recurrence of projected LSTM layers. projected_lstm_compiled.py calls it; the formula and the names are those of
 * projected_lstm.py.
 *
 * A step is two products with few rows (products.h); the activations follow while the gates of WIDTH cells are still in
 * the first cache. Where a direction has several threads (chains.h), these wait for each other twice a step.
 */

#include "activations.h"
#include "chains.h"
#include "products.h"

/*
 * One layer of one direction. Rows lie one behind the other, WIDTH columns of a panel likewise; where `struct sizes`
 * has strides, as far apart as these say, in numbers.
 */
struct chain {
    const float *input_gates; /* (sum of rows_per_step, 4 * cell_dim), as the strides say */
    const float *bias;        /* (4 * cell_dim), still to be added to them, or none */
    float *outputs;           /* (sum of rows_per_step, projection_dim) */
    float *hidden;            /* (batch_size, projection_dim), changed */
    float *memory;            /* (batch_size, cell_dim), changed */
    const void *recurrent;    /* (cell_dim / WIDTH, 4, projection_dim, WIDTH), float, or of half precision */
    const void *projection;   /* (projection_dim / WIDTH, cell_dim, WIDTH), likewise */
    float *exposed;           /* (batch_size, cell_dim), to write into */
    float *gates;             /* (threads of this chain, 4, batch_size, WIDTH), to write into */
};

struct sizes {
    int64_t num_steps, batch_size, cell_dim, projection_dim;
    const int64_t *rows_per_step;
    float cell_clip, projection_clip; /* infinite where there is none */
    int64_t are_half;                 /* whether weights have half precision; all else is float in any case */
    /* From a row of input_gates to the next, from WIDTH cells of a gate to those of the next, and to the next WIDTH. */
    int64_t row_stride, gate_stride, block_stride;
    int64_t hidden_stride, exposed_stride; /* from a row to the next */
};

/*
 * From the gates of WIDTH cells before their activations to memory, and what is exposed of it; `bias` is added to the
 * gates before, where there is one.
 */
static void set_cells(int64_t num_rows, const float *gates, int64_t gate_stride, const float *bias, float clip,
                      float *memory, int64_t cell_dim, float *exposed, int64_t exposed_stride) {
    vector bound = all(clip);
    for (int lane = 0; lane < WIDTH; lane += LANES) {
        vector biases[4];
        for (int gate = 0; gate < 4; gate++)
            biases[gate] = bias ? load(bias + gate * cell_dim + lane) : zeros();
        for (int64_t row = 0; row < num_rows; row++) {
            const float *own = gates + row * WIDTH + lane;
            float *kept = memory + row * cell_dim + lane, *shown = exposed + row * exposed_stride + lane;
            fetch(kept + WIDTH);
            fetch(shown + WIDTH);
            vector sums[4];
            for (int gate = 0; gate < 4; gate++)
                sums[gate] = plus(load(own + gate * gate_stride), biases[gate]);
            const struct cell cell = cell_of(sums, load(kept), bound);
            store(kept, cell.memory);
            store(shown, cell.exposed);
        }
    }
}

static void clip_and_keep(int64_t num_rows, int64_t num_columns, float clip, float *outputs, int64_t stride,
                          float *hidden, int64_t hidden_stride) {
    vector bound = all(clip);
    for (int64_t row = 0; row < num_rows; row++)
        for (int64_t column = 0; column < num_columns; column += LANES) {
            vector number = clipped(load(outputs + row * stride + column), bound);
            store(outputs + row * stride + column, number);
            store(hidden + row * hidden_stride + column, number);
        }
}

struct task {
    const struct chain *chains;
    const struct sizes *sizes;
};

static void run(const void *given_task, int index, int part, int parts, struct meeting *meeting) {
    const struct chain *chain = ((const struct task *)given_task)->chains + index;
    const struct sizes *sizes = ((const struct task *)given_task)->sizes;
    const int64_t cell_dim = sizes->cell_dim, dim = sizes->projection_dim;
    const int64_t num_blocks = cell_dim / WIDTH, num_panels = dim / WIDTH;
    const int64_t first_block = num_blocks * part / parts, last_block = num_blocks * (part + 1) / parts;
    const int64_t first_panel = num_panels * part / parts, last_panel = num_panels * (part + 1) / parts;
    const int64_t gate_stride = sizes->batch_size * WIDTH;
    float *gates = chain->gates + part * 4 * gate_stride;
    const float *given = chain->input_gates;
    float *outputs = chain->outputs;
    struct weights recurrent = {chain->recurrent, 0, dim * WIDTH, (int)sizes->are_half};
    struct weights projection = {chain->projection, 0, cell_dim * WIDTH, (int)sizes->are_half};
    for (int64_t step = 0; step < sizes->num_steps; step++) {
        const int64_t rows = sizes->rows_per_step[step];
        const struct place sums = {gates, WIDTH, gate_stride};
        for (int64_t block = first_block; block < last_block; block++) {
            float *own_given = (float *)given + block * sizes->block_stride;
            const struct place begin = {own_given, sizes->row_stride, sizes->gate_stride};
            recurrent.start = block * 4 * dim * WIDTH;
            products(rows, 4, dim, chain->hidden, sizes->hidden_stride, recurrent, begin, sums);
            set_cells(rows, gates, gate_stride, chain->bias ? chain->bias + block * WIDTH : 0, sizes->cell_clip,
                      chain->memory + block * WIDTH, cell_dim, chain->exposed + block * WIDTH, sizes->exposed_stride);
        }
        meet(meeting, parts);
        float *own = outputs + first_panel * WIDTH;
        const struct place nothing = {0, 0, 0}, projected = {own, dim, WIDTH};
        projection.start = first_panel * cell_dim * WIDTH;
        products(rows, (int)(last_panel - first_panel), cell_dim, chain->exposed, sizes->exposed_stride, projection,
                 nothing, projected);
        clip_and_keep(rows, (last_panel - first_panel) * WIDTH, sizes->projection_clip, own, dim,
                      chain->hidden + first_panel * WIDTH, sizes->hidden_stride);
        meet(meeting, parts);
        given += rows * sizes->row_stride;
        outputs += rows * dim;
    }
}

/*
 * Whether chains that would have a thread each go in turn. With few rows a step takes as long as reading the weights,
 * and half of them may stay in the second cache; with more rows that is true of the third, if all weights do not.
 */
static int go_in_turn(const struct sizes *sizes, int num_chains, int num_threads) {
    const int64_t size = sizes->are_half ? 2 : 4, num_bytes = 5 * sizes->cell_dim * sizes->projection_dim * size;
    const int are_few = sizes->batch_size <= 8 || (sizes->batch_size <= 64 && num_chains * num_bytes > (64 << 20));
    return num_threads == num_chains && are_few;
}

void elmo_projected_lstms(int num_chains, const struct chain *chains, const struct sizes *sizes, int num_threads) {
    const struct task task = {chains, sizes};
    run_chains(run, &task, num_chains, num_threads, go_in_turn(sizes, num_chains, num_threads));
}
