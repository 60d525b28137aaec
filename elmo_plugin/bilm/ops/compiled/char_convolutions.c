/*
 * Convolutions over the characters of words, and their maxima over positions. char_convolutions_compiled.py calls it;
 * the formula and the names are those of char_convolutions.py.
 *
 * A word's embedded characters lie one behind the other, so a window of some of them is a row of a product as it
 * stands, and the next window begins one character further. A word has only the windows that differ. Filters of one
 * panel go through some words before the next, while they are in the first cache.
 */

#include <omp.h>

#include "products.h"

#define WORDS_AT_ONCE 16
/* Windows of a word, a multiple of MAX_ROWS. */
#define WINDOWS_AT_ONCE 48

/* All filters of one width. */
struct convolution {
    const float *weight; /* (num_filters / WIDTH, width * embedding_dim, WIDTH) */
    float *maxima;       /* its columns of (num_words, num_columns), to write into */
    int64_t width, num_filters;
};

struct words {
    const float *embedded;      /* (num_words, num_characters, embedding_dim) */
    const int64_t *num_windows; /* (num_words): the first ones; those behind are like the last of these */
    int64_t num_words, num_characters, embedding_dim, num_columns;
};

/* The larger one; not a number where one of both is not. */
INLINE __m256 larger(__m256 one, __m256 other) {
    /* _mm256_max_ps gives its second argument where one is not a number. */
    return _mm256_blendv_ps(_mm256_max_ps(other, one), other, _mm256_cmp_ps(other, other, _CMP_UNORD_Q));
}

/* The maxima of WIDTH filters over the windows of a word. */
static FAST void find(const float *characters, int64_t stride, int64_t num_windows, int64_t depth,
                      struct weights weights, float *maxima) {
    float numbers[WINDOWS_AT_ONCE * WIDTH];
    const struct place nothing = {0, 0, 0}, sums = {numbers, WIDTH, 0};
    for (int64_t window = 0; window < num_windows; window += WINDOWS_AT_ONCE) {
        const int64_t left = num_windows - window, count = left < WINDOWS_AT_ONCE ? left : WINDOWS_AT_ONCE;
        products(count, 1, depth, characters + window * stride, stride, weights, nothing, sums);
        for (int half = 0; half < WIDTH; half += 8) {
            __m256 maximum = _mm256_loadu_ps(window == 0 ? numbers + half : maxima + half);
            for (int64_t row = window == 0; row < count; row++)
                maximum = larger(maximum, _mm256_loadu_ps(numbers + row * WIDTH + half));
            _mm256_storeu_ps(maxima + half, maximum);
        }
    }
}

/* Some words, all filters of a width. */
static FAST void convolve(const struct convolution *task, const struct words *words, int64_t first, int64_t last) {
    const int64_t dim = words->embedding_dim, depth = task->width * dim, most = words->num_characters - task->width + 1;
    for (int64_t begin = first; begin < last; begin += WORDS_AT_ONCE) {
        const int64_t end = last - begin < WORDS_AT_ONCE ? last : begin + WORDS_AT_ONCE;
        for (int64_t panel = 0; panel < task->num_filters / WIDTH; panel++) {
            const struct weights weights = {task->weight, panel * depth * WIDTH, 0, 0};
            for (int64_t word = begin; word < end; word++) {
                const int64_t own = words->num_windows[word];
                find(words->embedded + word * words->num_characters * dim, dim, own < most ? own : most, depth, weights,
                     task->maxima + word * words->num_columns + panel * WIDTH);
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
