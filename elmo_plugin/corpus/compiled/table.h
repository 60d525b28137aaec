/*
 * A table of distinct words, numbered in order of first occurrence.
 *
 * Words come a batch at a time: the place of each is asked of memory when the word is found, and looked at when the
 * batch is full, for a table of a hundred thousand words is larger than the caches that are close.
 */

#ifndef ELMO_TABLE_H
#define ELMO_TABLE_H

#include "bytes.h"

#define BATCH 32
/* Of a table, a power of two. */
#define FIRST_SLOTS (1 << 14)
/* A word of so many bytes is compared as one number. */
#define SHORT 8

/*
 * `key` of a short word: its bytes. Of another: its hash above, and where it begins in the types' bytes below.
 * `number` is one more than the word's, 0 where the slot is free.
 */
struct slot {
    uint64_t key;
    uint32_t length, number;
};

/* A word that was found, not yet looked up. `key` of a word that is not short is its hash above, and 0 below. */
struct word {
    const uint8_t *bytes;
    uint64_t key;
    uint32_t length, hash;
};

struct table {
    struct slot *slots;
    uint64_t mask; /* number of slots - 1 */
    uint64_t num_types, num_types_bytes, num_tokens;
    uint8_t *types;   /* each followed by a newline */
    int32_t *ids;     /* (num_tokens), or none */
    int64_t *counts;  /* (num_types), or none */
    int num_words;    /* of the batch */
    struct word batch[BATCH];
};

INLINE uint64_t mixed(uint64_t hash) {
    hash *= 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    return hash * 0xD6E8FEB86659FD93u;
}

INLINE uint32_t hash_of_short(uint64_t key, uint64_t length) { return (uint32_t)(mixed(key + length) >> 32); }

static uint32_t hash_of_long(const uint8_t *bytes, uint64_t length) {
    uint64_t hash = length;
    for (uint64_t i = 0; i + 8 < length; i += 8) {
        hash = mixed(hash ^ eight_bytes(bytes + i));
        hash ^= hash >> 32;
    }
    return (uint32_t)(mixed(hash ^ eight_bytes(bytes + length - 8)) >> 32);
}

static int is_begun(struct table *table, uint8_t *types, int32_t *ids, int64_t *counts) {
    memset(table, 0, sizeof *table);
    table->mask = FIRST_SLOTS - 1;
    table->slots = calloc(FIRST_SLOTS, sizeof *table->slots);
    table->types = types;
    table->ids = ids;
    table->counts = counts;
    return table->slots != NULL;
}

/* Twice as many slots; 0 where there is no memory for them. */
static int has_grown(struct table *table) {
    const uint64_t mask = 2 * table->mask + 1;
    struct slot *slots = calloc(mask + 1, sizeof *slots);
    if (slots == NULL) return 0;
    for (uint64_t i = 0; i <= table->mask; i++) {
        const struct slot old = table->slots[i];
        if (old.number == 0) continue;
        uint64_t place = old.length <= SHORT ? hash_of_short(old.key, old.length) : old.key >> 32;
        while (slots[place & mask].number != 0) place++;
        slots[place & mask] = old;
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    return 1;
}

INLINE int is_same(const struct table *table, const struct slot *slot, const struct word *word) {
    if (slot->length != word->length) return 0;
    if (word->length <= SHORT) return slot->key == word->key;
    return slot->key >> 32 == word->hash && !memcmp(table->types + (uint32_t)slot->key, word->bytes, word->length);
}

/* The number of a word, a new one where it has none. */
INLINE uint32_t number_of(struct table *table, const struct word *word) {
    uint64_t place = word->hash & table->mask;
    while (table->slots[place].number != 0) {
        if (is_same(table, table->slots + place, word)) return table->slots[place].number - 1;
        place = (place + 1) & table->mask;
    }
    struct slot *slot = table->slots + place;
    slot->key = word->length <= SHORT ? word->key : word->key | table->num_types_bytes;
    slot->length = word->length;
    slot->number = (uint32_t)++table->num_types;
    memcpy(table->types + table->num_types_bytes, word->bytes, word->length);
    table->num_types_bytes += word->length;
    table->types[table->num_types_bytes++] = NEWLINE;
    if (table->counts) table->counts[slot->number - 1] = 0;
    return slot->number - 1;
}

/* Looks the batch up; 0 where memory is short. */
static int is_looked_up(struct table *table) {
    for (int i = 0; i < table->num_words; i++) {
        const uint32_t number = number_of(table, table->batch + i);
        if (table->ids) table->ids[table->num_tokens++] = (int32_t)number;
        else table->counts[number]++;
        if (2 * table->num_types > table->mask && !has_grown(table)) return 0;
    }
    table->num_words = 0;
    return 1;
}

/* One word more; 0 where memory is short. */
INLINE int is_added(struct table *table, const uint8_t *bytes, uint64_t key, uint64_t length, uint32_t hash) {
    const struct word word = {bytes, key, (uint32_t)length, hash};
    __builtin_prefetch(table->slots + (hash & table->mask));
    table->batch[table->num_words++] = word;
    return table->num_words < BATCH || is_looked_up(table);
}

/* The same, of bytes whose key and hash are not known; `left` are as many as may be read. */
INLINE int is_word_added(struct table *table, const uint8_t *bytes, uint64_t length, uint64_t left) {
    if (length > SHORT) {
        const uint32_t hash = hash_of_long(bytes, length);
        return is_added(table, bytes, (uint64_t)hash << 32, length, hash);
    }
    uint64_t key;
    if (left < 8) key = few_bytes(bytes, length);
    else key = length == 8 ? eight_bytes(bytes) : eight_bytes(bytes) & ((UINT64_C(1) << 8 * length) - 1);
    return is_added(table, bytes, key, length, hash_of_short(key, length));
}

#endif
