/* Bytes read as numbers, and what all files of this program share. */

#ifndef ELMO_BYTES_H
#define ELMO_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define NEWLINE 10
/* compiled_words.py has the same numbers. */
#define NOT_UTF_8 (-1)
#define NO_MEMORY (-2)

/* Eight bytes as a number, the first of them lowest. */
INLINE uint64_t eight_bytes(const uint8_t *bytes) {
    uint64_t number;
    memcpy(&number, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    return number;
}

/* As many bytes, at most 8, and none behind them. */
INLINE uint64_t few_bytes(const uint8_t *bytes, uint64_t length) {
    uint8_t padded[8] = {0};
    memcpy(padded, bytes, length);
    return eight_bytes(padded);
}

#endif
