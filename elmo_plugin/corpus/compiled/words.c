/*
 * The words of text, or of lists of words, numbered or counted. compiled_words.py calls it.
 *
 * Plain C for compilers that know GNU's built-in functions. What is white space, the caller says.
 */

#include "table.h"

/* compiled_words.py has the same numbers; VERSION is one more whenever anything that is called changes. */
#define VERSION 1
#define NUM_CODES 0x3001

#define EVERY_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS (EVERY_BYTE << 7)

int elmo_words_version(void) { return VERSION; }

struct words {
    const uint8_t *text;   /* (size) */
    const uint8_t *spaces; /* (NUM_CODES), of text: whether a code point is white space; none where lines are words */
    uint8_t *types;        /* (size + 1), to write into, as the following */
    int32_t *ids;          /* (size / 2 + 1), or none where words are counted; of lines (size) */
    int64_t *counts;       /* (size / 2 + 1), or none where words are numbered */
    int64_t *lengths;      /* (size / 2 + 1), of text: words in each line that has any */
    int64_t size, num_types_bytes, num_types, num_tokens, num_lines; /* less than 4 GB; the other four are written */
};

/* The lowest of these bits is that of the first byte that is below 33 or above 127; 0 if none is. */
INLINE uint64_t perhaps_spaces(uint64_t bytes) { return ((bytes - 33 * EVERY_BYTE) | bytes) & HIGH_BITS; }

/* The bytes of the character at `text`, of which `left` may be read, and its code point; 0 where it is not UTF-8. */
static int character(const uint8_t *text, uint64_t left, uint32_t *code) {
    const uint8_t first = text[0];
    const int length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || (uint64_t)length > left) return 0;
    uint32_t found = length == 1 ? first : first & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        found = found << 6 | (text[i] & 0x3F);
    }
    const int is_surrogate = found >= 0xD800 && found < 0xE000;
    if (is_surrogate || (length == 3 && found < 0x800) || (length == 4 && (found < 0x10000 || found > 0x10FFFF)))
        return 0;
    *code = found;
    return length;
}

/*
 * Where the word that begins at `begin` ends; `*behind` is where what ends it does, the same at the end of the text.
 * Up to `known` there is neither white space nor anything beyond ASCII. -1 where the text is not UTF-8.
 */
static int64_t end_of_word(const struct words *task, int64_t known, int64_t *behind) {
    const uint64_t size = (uint64_t)task->size;
    uint64_t at = (uint64_t)known;
    while (at < size) {
        while (at + 8 <= size && !perhaps_spaces(eight_bytes(task->text + at))) at += 8;
        if (at == size) break;
        uint32_t code;
        const int length = character(task->text + at, size - at, &code);
        if (length == 0) return -1;
        if (code < NUM_CODES && task->spaces[code]) {
            *behind = (int64_t)at + length;
            return (int64_t)at;
        }
        at += (uint64_t)length;
    }
    *behind = (int64_t)size;
    return (int64_t)size;
}

/* One word more, of a short one already known as a number. */
INLINE int is_short_added(struct table *table, const uint8_t *bytes, uint64_t eight, uint64_t length) {
    const uint64_t key = eight & ((UINT64_C(1) << 8 * length) - 1);
    return is_added(table, bytes, key, length, hash_of_short(key, length));
}

static int split_text(struct words *task, struct table *table) {
    const uint8_t *text = task->text;
    const int64_t size = task->size;
    int64_t in_line = 0, num_lines = 0;
    for (int64_t begin = 0, behind; begin < size; begin = behind) {
        int64_t known = begin;
        uint64_t eight = 0, found = 0;
        if (begin + 8 <= size) {
            eight = eight_bytes(text + begin);
            found = perhaps_spaces(eight);
            known += found ? __builtin_ctzll(found) >> 3 : 8;
        }
        if (found && text[known] < 0x80 && task->spaces[text[known]]) {
            behind = known + 1;
            if (known > begin) {
                if (!is_short_added(table, text + begin, eight, (uint64_t)(known - begin))) return NO_MEMORY;
                in_line++;
            }
        } else {
            known = end_of_word(task, known, &behind);
            if (known < 0) return NOT_UTF_8;
            if (known > begin) {
                const uint64_t length = (uint64_t)(known - begin), left = (uint64_t)(size - begin);
                if (!is_word_added(table, text + begin, length, left)) return NO_MEMORY;
                in_line++;
            }
        }
        if (in_line > 0 && (behind == size || text[behind - 1] == NEWLINE)) {
            task->lengths[num_lines++] = in_line;
            in_line = 0;
        }
    }
    task->num_lines = num_lines;
    return 0;
}

static int split_lines(struct words *task, struct table *table) {
    for (const uint8_t *begin = task->text, *last = begin + task->size, *end; begin < last; begin = end + 1) {
        end = memchr(begin, NEWLINE, (size_t)(last - begin));
        if (end == NULL) break;
        if (!is_word_added(table, begin, (uint64_t)(end - begin), (uint64_t)(last - begin))) return NO_MEMORY;
    }
    return 0;
}

/* 0 where all went well. */
int elmo_words(struct words *task) {
    struct table table;
    if (!is_begun(&table, task->types, task->ids, task->counts)) return NO_MEMORY;
    int failure = task->spaces ? split_text(task, &table) : split_lines(task, &table);
    if (failure == 0 && !is_looked_up(&table)) failure = NO_MEMORY;
    free(table.slots);
    task->num_types = (int64_t)table.num_types;
    task->num_types_bytes = (int64_t)table.num_types_bytes;
    task->num_tokens = (int64_t)table.num_tokens;
    return failure;
}
