/*
 * Lists of words, one a line: their hashes, some of them in another order, and their order in vocabularies.
 * compiled_words.py calls it.
 */

#include "bytes.h"

/* Pieces that are asked of memory before they are copied. */
#define AHEAD 16

/* CRC-32 of each line without its newline. */
void elmo_line_hashes(const uint8_t *lines, int64_t size, uint32_t *hashes) {
    uint32_t of_byte[256];
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t hash = byte;
        for (int bit = 0; bit < 8; bit++) hash = hash >> 1 ^ (hash & 1 ? 0xEDB88320u : 0);
        of_byte[byte] = hash;
    }
    uint32_t hash = UINT32_MAX;
    for (int64_t i = 0; i < size; i++) {
        if (lines[i] == NEWLINE) {
            *hashes++ = ~hash;
            hash = UINT32_MAX;
        } else {
            hash = hash >> 8 ^ of_byte[(hash ^ lines[i]) & 0xFF];
        }
    }
}

/* Pieces of bytes one after the other. */
void elmo_gather(const uint8_t *bytes, const int64_t *begins, const int64_t *sizes, int64_t count, uint8_t *gathered) {
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(bytes + begins[i + AHEAD]);
        memcpy(gathered, bytes + begins[i], (size_t)sizes[i]);
        gathered += sizes[i];
    }
}

struct ranked {
    int64_t count;
    uint64_t first; /* bytes, the first of them highest */
    const uint8_t *bytes;
    int64_t length, index;
};

static int compared(const void *one, const void *other) {
    const struct ranked *a = one, *b = other;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    const int order = memcmp(a->bytes, b->bytes, (size_t)(a->length < b->length ? a->length : b->length));
    if (order != 0) return order;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* The order of words by descending count, ties by bytes; `offsets` is where each line begins. 0 where all went well. */
int elmo_rank(const uint8_t *lines, const int64_t *offsets, const int64_t *counts, int64_t num_words, int64_t *order) {
    struct ranked *words = malloc((size_t)(num_words > 0 ? num_words : 1) * sizeof *words);
    if (words == NULL) return NO_MEMORY;
    for (int64_t i = 0; i < num_words; i++) {
        const int64_t length = offsets[i + 1] - offsets[i] - 1;
        const uint8_t *bytes = lines + offsets[i];
        const uint64_t first = few_bytes(bytes, (uint64_t)(length < 8 ? length : 8));
        words[i] = (struct ranked){counts[i], __builtin_bswap64(first), bytes, length, i};
    }
    qsort(words, (size_t)num_words, sizeof *words, compared);
    for (int64_t i = 0; i < num_words; i++) order[i] = words[i].index;
    free(words);
    return 0;
}
