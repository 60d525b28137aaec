/*
 * Convolutions over the characters of words, and their maxima over positions. char_convolutions_compiled.py calls it;
 * the formula and the names are those of char_convolutions.py.
 *
 * A word's embedded characters lie one behind the other, so a window of some of them is a row of a product as it
 * stands, and the next window begins one character further. A word has only the windows that differ. Filters of one
 * panel go through some words before the next, while they are in the first cache.
 *
 * On the way back a filter has one window of each word, that of its maximum: its gradient is made of those, and that of
 * a word of the filters. No product is made of windows that did not win.
 */

#include <math.h>
#include <omp.h>

#include "products.h"
#include "vectors.h"

#define WORDS_AT_ONCE 16
/* So many of them stay in the second cache. */
#define WORDS_AT_ONCE_BACK 64
/* Windows of a word, a multiple of MAX_ROWS. */
#define WINDOWS_AT_ONCE 48

/* All filters of one width. */
struct convolution {
    const float *weight; /* (num_filters / WIDTH, width * embedding_dim, WIDTH) */
    float *maxima;       /* its columns of (num_words, num_columns), to write into */
    int32_t *positions;  /* where they were found, the first ones, as its columns of `maxima`; or none */
    int64_t width, num_filters;
};

struct words {
    const float *embedded;      /* (num_words, num_characters, embedding_dim) */
    const int64_t *num_windows; /* (num_words): the first ones; those behind are like the last of these */
    int64_t num_words, num_characters, embedding_dim, num_columns;
};

/* All filters of one width on the way back. */
struct convolution_back {
    const float *weight;      /* (num_filters, width * embedding_dim) */
    float *of_weight;         /* likewise, added to; or none */
    const float *of_maxima;   /* its columns of (num_words, num_columns) */
    const int32_t *positions; /* likewise */
    int64_t width, num_filters;
};

/* The larger one; not a number where one of both is not. */
INLINE vector maximum_of(vector one, vector other) {
    return chosen(are_no_numbers(other), other, larger(other, one));
}

/* The maxima of WIDTH filters over the windows of a word. */
static void find(const float *characters, int64_t stride, int64_t num_windows, int64_t depth,
                 struct weights weights, float *maxima, int32_t *positions) {
    float numbers[WINDOWS_AT_ONCE * WIDTH];
    const struct place nothing = {0, 0, 0}, sums = {numbers, WIDTH, 0};
    for (int64_t window = 0; window < num_windows; window += WINDOWS_AT_ONCE) {
        const int64_t left = num_windows - window, count = left < WINDOWS_AT_ONCE ? left : WINDOWS_AT_ONCE;
        products(count, 1, depth, characters + window * stride, stride, weights, nothing, sums);
        for (int lane = 0; lane < WIDTH; lane += LANES) {
            vector maximum = load(window == 0 ? numbers + lane : maxima + lane);
            if (positions) {
                whole_numbers position = all_whole(0);
                if (window > 0) position = load_whole(positions + lane);
                for (int64_t row = window == 0; row < count; row++) {
                    const vector next = maximum_of(maximum, load(numbers + row * WIDTH + lane));
                    /* Another number than before; what was not a number stays where it was. */
                    const lanes are_new = but_not(are_unlike(next, maximum), are_no_numbers(maximum));
                    position = chosen_whole(are_new, all_whole((int32_t)(window + row)), position);
                    maximum = next;
                }
                store_whole(positions + lane, position);
            } else {
                for (int64_t row = window == 0; row < count; row++)
                    maximum = maximum_of(maximum, load(numbers + row * WIDTH + lane));
            }
            store(maxima + lane, maximum);
        }
    }
}

/* Some words, all filters of a width. */
static void convolve(const struct convolution *task, const struct words *words, int64_t first, int64_t last) {
    const int64_t dim = words->embedding_dim, depth = task->width * dim, most = words->num_characters - task->width + 1;
    for (int64_t begin = first; begin < last; begin += WORDS_AT_ONCE) {
        const int64_t end = last - begin < WORDS_AT_ONCE ? last : begin + WORDS_AT_ONCE;
        for (int64_t panel = 0; panel < task->num_filters / WIDTH; panel++) {
            const struct weights weights = {task->weight, panel * depth * WIDTH, 0, 0};
            for (int64_t word = begin; word < end; word++) {
                const int64_t own = words->num_windows[word], place = word * words->num_columns + panel * WIDTH;
                find(words->embedded + word * words->num_characters * dim, dim, own < most ? own : most, depth, weights,
                     task->maxima + place, task->positions ? task->positions + place : 0);
            }
        }
    }
}

void elmo_char_convolutions(int num_widths, const struct convolution *tasks, const struct words *words,
                            int num_threads) {
    if (num_threads <= 1) {
        for (int index = 0; index < num_widths; index++) convolve(tasks + index, words, 0, words->num_words);
        return;
    }
#pragma omp parallel num_threads(num_threads)
    {
        const int64_t team = omp_get_num_threads(), own = omp_get_thread_num(), all = words->num_words;
        for (int index = 0; index < num_widths; index++)
            convolve(tasks + index, words, all * own / team, all * (own + 1) / team);
    }
}

/* to += factor * from, each rounded once, wherever the vectors end: the same bits for every processor and compiler. */
INLINE void add(float *to, float factor, const float *from, int64_t count) {
    const vector factors = all(factor);
    int64_t place = 0;
    for (; place + LANES <= count; place += LANES)
        store(to + place, times_plus(factors, load(from + place), load(to + place)));
    for (; place < count; place++) to[place] = fmaf(factor, from[place], to[place]);
}

/* The gradients of some filters, from all words. */
static void to_filters(const struct convolution_back *task, const struct words *words, int64_t first,
                       int64_t last) {
    const int64_t dim = words->embedding_dim, depth = task->width * dim;
    for (int64_t begin = 0; begin < words->num_words; begin += WORDS_AT_ONCE_BACK) {
        const int64_t left = words->num_words - begin, count = left < WORDS_AT_ONCE_BACK ? left : WORDS_AT_ONCE_BACK;
        for (int64_t filter = first; filter < last; filter++)
            for (int64_t word = begin; word < begin + count; word++) {
                const int64_t place = word * words->num_columns + filter;
                const float slope = task->of_maxima[place];
                const int64_t character = word * words->num_characters + task->positions[place];
                if (slope != 0) add(task->of_weight + filter * depth, slope, words->embedded + character * dim, depth);
            }
    }
}

/* The gradients of some words' characters, from all filters of a width. */
static void to_words(const struct convolution_back *task, const struct words *words, float *of_embedded,
                     int64_t first, int64_t last) {
    const int64_t dim = words->embedding_dim, depth = task->width * dim;
    for (int64_t begin = first; begin < last; begin += WORDS_AT_ONCE) {
        const int64_t end = last - begin < WORDS_AT_ONCE ? last : begin + WORDS_AT_ONCE;
        for (int64_t filter = 0; filter < task->num_filters; filter++)
            for (int64_t word = begin; word < end; word++) {
                const int64_t place = word * words->num_columns + filter;
                const float slope = task->of_maxima[place];
                const int64_t character = word * words->num_characters + task->positions[place];
                if (slope != 0) add(of_embedded + character * dim, slope, task->weight + filter * depth, depth);
            }
    }
}

static void go_back(int num_widths, const struct convolution_back *tasks, const struct words *words,
                    float *of_embedded, int64_t own, int64_t team) {
    const int64_t all = words->num_words;
    for (int index = 0; index < num_widths; index++) {
        const int64_t num_filters = tasks[index].num_filters;
        if (tasks[index].of_weight)
            to_filters(tasks + index, words, num_filters * own / team, num_filters * (own + 1) / team);
        if (of_embedded) to_words(tasks + index, words, of_embedded, all * own / team, all * (own + 1) / team);
    }
}

/* of_embedded: as `words.embedded`, added to; or none. */
void elmo_char_convolutions_back(int num_widths, const struct convolution_back *tasks, const struct words *words,
                                 float *of_embedded, int num_threads) {
    if (num_threads <= 1) {
        go_back(num_widths, tasks, words, of_embedded, 0, 1);
        return;
    }
#pragma omp parallel num_threads(num_threads)
    go_back(num_widths, tasks, words, of_embedded, omp_get_thread_num(), omp_get_num_threads());
}
