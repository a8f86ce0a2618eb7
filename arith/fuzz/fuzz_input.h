/* What the fuzz targets share: taking values off the input, a valid bank made of any bytes, and
 * a main for compilers without libFuzzer. */
#ifndef C3D_ARITH_FUZZ_INPUT_H
#define C3D_ARITH_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d_arith.h"

#define FUZZ_MAX_TABLES 4u
#define FUZZ_MAX_SYMBOLS 2100u /* beyond the 1024 where the lanes become eight */

#define FUZZ_CHECK(condition)                                                   \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
            abort();                                                            \
        }                                                                       \
    } while (0)

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, or 0 past the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->at++;
}

static inline uint16_t fuzz_pair(struct fuzz_input *input)
{
    uint16_t low = fuzz_byte(input);
    return (uint16_t)(low | fuzz_byte(input) << 8);
}

/* A heap block of exactly `size` bytes, so that a sanitizer sees one byte too many. */
static inline void *fuzz_block(size_t size)
{
    void *block = malloc(size == 0 ? 1 : size);
    FUZZ_CHECK(block != NULL);
    return block;
}

/* One table of `size` symbols: every frequency 1, and what is left of 4096 for one of them. */
static inline void fuzz_table(struct fuzz_input *input, uint32_t size, uint32_t *frequencies)
{
    for (uint32_t i = 0; i <= size; i++) {
        frequencies[i] = 1;
    }
    uint32_t rest = C3D_ARITH_TOTAL - (size + 1);
    uint32_t part = fuzz_pair(input) % (rest + 1);
    frequencies[fuzz_pair(input) % (size + 1)] += part;
    frequencies[fuzz_pair(input) % (size + 1)] += rest - part;
}

static inline c3d_arith_tables *fuzz_bank(struct fuzz_input *input)
{
    static uint32_t frequencies[FUZZ_MAX_TABLES * (C3D_ARITH_MAX_SIZE + 1)];
    int16_t minimums[FUZZ_MAX_TABLES];
    uint16_t sizes[FUZZ_MAX_TABLES];
    size_t count = 1 + fuzz_byte(input) % FUZZ_MAX_TABLES;
    size_t length = 0;
    for (size_t t = 0; t < count; t++) {
        sizes[t] = (uint16_t)(1 + fuzz_pair(input) % C3D_ARITH_MAX_SIZE);
        int highest = INT16_MAX - (sizes[t] - 1);
        int minimum = INT16_MIN + fuzz_pair(input);
        minimums[t] = (int16_t)(minimum > highest ? highest : minimum);
        fuzz_table(input, sizes[t], frequencies + length);
        length += (size_t)sizes[t] + 1;
    }
    c3d_arith_tables *tables = NULL;
    FUZZ_CHECK(c3d_arith_tables_create(frequencies, length, minimums, sizes, count, &tables) ==
               C3D_ARITH_OK);
    return tables;
}

/* Indexes in an exact block; one byte of the input in 256 gives wrong ones now and then. */
static inline uint8_t *fuzz_indexes(struct fuzz_input *input, size_t n, size_t count)
{
    uint8_t *indexes = fuzz_block(n);
    uint32_t seed = fuzz_pair(input);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        indexes[i] = (uint8_t)((seed >> 24) % count);
    }
    if (n > 0 && fuzz_byte(input) == 0xFF) {
        indexes[seed % n] = fuzz_byte(input);
    }
    return indexes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef C3D_FUZZ_MAIN
static inline int fuzz_file(const char *path)
{
    static uint8_t buffer[1 << 16];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(buffer, 1, sizeof(buffer), file);
    fclose(file);
    uint8_t *exact = fuzz_block(size);
    memcpy(exact, buffer, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        failures += fuzz_file(argv[i]);
    }
    return failures != 0;
}
#endif

#endif
