/*
 * What the fuzz targets share: taking values off the input, valid banks and parts made of any
 * bytes, and a main for compilers without libFuzzer.
 *
 * Whatever the library reads or writes lies in a heap block of its exact size, so that a
 * sanitizer sees one byte too many.
 */
#ifndef C3D_ARITH_FUZZ_INPUT_H
#define C3D_ARITH_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d_arith.h"

#define FUZZ_CHECK(condition)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

enum {
    FUZZ_BANKS = 2,      /* parts of one payload may have different ones */
    FUZZ_PARTS = 3,
    FUZZ_KERNELS = 3,
    FUZZ_DISTINCT = 4,   /* tables of a bank; the others repeat them */
    FUZZ_VALUES = 2100,  /* 32 rows of 64 lanes, and some more */
    FUZZ_ENTRIES = 2 * C3D_ARITH_MAX_GROUPS + 2
};

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* What c3d_arith_tables_create is given for a valid bank. */
struct fuzz_bank {
    size_t count;
    size_t length;
    c3d_arith_shape shapes[C3D_ARITH_MAX_TABLES];
    uint32_t frequencies[C3D_ARITH_MAX_TABLES * FUZZ_ENTRIES + 1]; /* one too many, for tests */
};

/* A payload's parts, without tables, and the banks from which each kernel's are made. */
struct fuzz_job {
    struct fuzz_bank banks[FUZZ_BANKS];
    size_t count;
    c3d_arith_part parts[FUZZ_PARTS];
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

static inline void *fuzz_block(size_t size)
{
    void *block = malloc(size);
    FUZZ_CHECK(block != NULL || size == 0);
    return block;
}

static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_block(size);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

static inline size_t fuzz_entries(const c3d_arith_shape *shape)
{
    return (size_t)shape->below + shape->above + 2;
}

/* A shape, and the most units that fit it: those of the zero's frequency of one. */
static inline uint32_t fuzz_shape(struct fuzz_input *input, c3d_arith_shape *shape)
{
    shape->bits = (uint16_t)(C3D_ARITH_MIN_BITS + fuzz_byte(input) % 6u);
    shape->fold = fuzz_byte(input) % (C3D_ARITH_MAX_FOLD + 1u);
    uint32_t most = ((1u << shape->bits) - 1u) >> shape->fold;
    most = most < C3D_ARITH_MAX_UNITS ? most : C3D_ARITH_MAX_UNITS;
    uint32_t groups = most - 1; /* the escape needs one */
    uint32_t below = fuzz_pair(input) % (C3D_ARITH_MAX_GROUPS + 1u);
    uint32_t above = fuzz_pair(input) % (C3D_ARITH_MAX_GROUPS + 1u);
    below = below < groups ? below : groups;
    above = above < groups - below ? above : groups - below;
    shape->below = (uint16_t)below;
    shape->above = (uint16_t)above;
    return most;
}

/* One unit for every entry but the zero's, and some more for a few of them. */
static inline void fuzz_table(struct fuzz_input *input, c3d_arith_shape *shape,
                              uint32_t *frequencies)
{
    uint32_t most = fuzz_shape(input, shape);
    uint32_t others = (uint32_t)fuzz_entries(shape) - 1u;
    uint32_t rest = fuzz_pair(input) % (most - others + 1u);
    for (uint32_t i = 1; i <= others; i++) {
        frequencies[i] = 1;
    }
    frequencies[0] = (1u << shape->bits) - ((others + rest) << shape->fold);
    for (int gift = 0; gift < 3; gift++) {
        uint32_t part = fuzz_pair(input) % (rest + 1u);
        frequencies[1 + fuzz_pair(input) % others] += part;
        rest -= part;
    }
    frequencies[others] += rest;
}

/* Mostly a few tables; now and then more than the 64 that fit the registers of a kernel. */
static inline void fuzz_bank(struct fuzz_input *input, struct fuzz_bank *bank)
{
    uint32_t choice = fuzz_byte(input);
    size_t starts[FUZZ_DISTINCT];
    bank->count = choice < 0xF0 ? 1u + choice % FUZZ_DISTINCT : 60u + fuzz_byte(input) % 197u;
    bank->length = 0;
    for (size_t t = 0; t < bank->count; t++) {
        uint32_t *frequencies = bank->frequencies + bank->length;
        size_t twin = t % FUZZ_DISTINCT;
        if (t < FUZZ_DISTINCT) {
            starts[t] = bank->length;
            fuzz_table(input, &bank->shapes[t], frequencies);
        } else {
            bank->shapes[t] = bank->shapes[twin];
            memcpy(frequencies, bank->frequencies + starts[twin],
                   fuzz_entries(&bank->shapes[t]) * sizeof(uint32_t));
        }
        bank->length += fuzz_entries(&bank->shapes[t]);
    }
}

static inline c3d_arith_tables *fuzz_create(const struct fuzz_bank *bank, c3d_arith_kernel kernel)
{
    c3d_arith_tables *tables = NULL;
    FUZZ_CHECK(c3d_arith_tables_create(bank->frequencies, bank->length, bank->shapes, bank->count,
                                       kernel, &tables) == C3D_ARITH_OK);
    return tables;
}

/* The kernels of this processor; the portable one is the first. */
static inline size_t fuzz_kernels(c3d_arith_kernel *kernels)
{
    size_t count = 0;
    for (int k = C3D_ARITH_KERNEL_PORTABLE; k <= C3D_ARITH_KERNEL_AVX512; k++) {
        if (c3d_arith_kernel_available((c3d_arith_kernel)k)) {
            kernels[count++] = (c3d_arith_kernel)k;
        }
    }
    return count;
}

static inline uint32_t fuzz_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A value of some `spread` bits or fewer; of 0 bits it is 0. */
static inline int16_t fuzz_value(uint32_t *seed, uint32_t spread)
{
    uint32_t bits = spread > 0 ? fuzz_random(seed) % (spread + 1u) : 0;
    uint32_t value = fuzz_random(seed) & ((1u << bits) - 1u);
    return (int16_t)(uint16_t)(fuzz_random(seed) & 64u ? 0u - value : value);
}

/* The arrays of a part with exactly n values. One part in 256 has one index of any number. */
static inline void fuzz_part(struct fuzz_input *input, c3d_arith_part *part, size_t n, size_t count)
{
    uint32_t seed = fuzz_pair(input);
    uint32_t spread = fuzz_byte(input) % 18u;
    uint32_t shift = fuzz_byte(input) % 18u;
    uint8_t *indexes = fuzz_block(n);
    int16_t *values = fuzz_block(n * sizeof(*values));
    int16_t *means = shift > 0 ? fuzz_block(n * sizeof(*means)) : NULL;
    for (size_t i = 0; i < n; i++) {
        indexes[i] = (uint8_t)(fuzz_random(&seed) % count);
        values[i] = spread < 17 ? fuzz_value(&seed, spread) : (int16_t)(uint16_t)fuzz_pair(input);
        if (means != NULL) {
            means[i] = fuzz_value(&seed, shift - 1u);
        }
    }
    if (fuzz_byte(input) == 0xFF && n > 0) {
        indexes[fuzz_random(&seed) % n] = fuzz_byte(input);
    }
    *part = (c3d_arith_part){NULL, values, means, indexes, n};
}

static inline void fuzz_job(struct fuzz_input *input, struct fuzz_job *job)
{
    size_t few = fuzz_byte(input); /* mostly, since an input then takes a tenth of the time */
    size_t left = few < 224 ? few : fuzz_pair(input) % (FUZZ_VALUES + 1u);
    job->count = 1u + fuzz_byte(input) % FUZZ_PARTS;
    for (size_t b = 0; b < FUZZ_BANKS && b < job->count; b++) {
        fuzz_bank(input, &job->banks[b]);
    }
    for (size_t p = 0; p < job->count; p++) {
        size_t n = p + 1 == job->count ? left : fuzz_pair(input) % (left + 1u);
        fuzz_part(input, &job->parts[p], n, job->banks[p % FUZZ_BANKS].count);
        left -= n;
    }
}

/* Parts may also be coded by different kernels: the second bank has the one after `k`. */
static inline void fuzz_set_tables(struct fuzz_job *job, c3d_arith_tables **tables, size_t k)
{
    c3d_arith_kernel kernels[FUZZ_KERNELS];
    size_t available = fuzz_kernels(kernels);
    for (size_t b = 0; b < FUZZ_BANKS; b++) {
        tables[b] = b < job->count ? fuzz_create(&job->banks[b], kernels[(k + b) % available])
                                   : NULL;
    }
    for (size_t p = 0; p < job->count; p++) {
        job->parts[p].tables = tables[p % FUZZ_BANKS];
    }
}

static inline void fuzz_free_tables(c3d_arith_tables **tables)
{
    for (size_t b = 0; b < FUZZ_BANKS; b++) {
        c3d_arith_tables_destroy(tables[b]);
    }
}

static inline void fuzz_free_parts(struct fuzz_job *job)
{
    for (size_t p = 0; p < job->count; p++) {
        free((void *)(uintptr_t)job->parts[p].indexes);
        free((void *)(uintptr_t)job->parts[p].values);
        free((void *)(uintptr_t)job->parts[p].means);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef C3D_FUZZ_MAIN
#include "fuzz_main.h"
#endif

#endif
