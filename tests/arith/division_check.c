/*
 * Checks the quotients of a vector kernel's `divide`, which goes through floats.
 *
 *     division_check STEP
 *
 * For every frequency f from 1 to 65535 it takes all quotients q below 2^21 whose class of states,
 * x = q f .. q f + f - 1, lies below 2^32: a state that takes a value of frequency f is below
 * f * 2^(32 - bits), and bits is 11 at least. For each q it divides both ends of the class and
 * wants (q, 0) and (q, f - 1). STEP 1 takes every q; a larger one every STEP-th run of a vector's
 * lanes from a start that differs for each f, and always the first and the last.
 *
 * That covers every state in between. The estimate of the quotient is made of a conversion to
 * float, a division by f, a subtraction and a truncation, of which none decreases where x does
 * not. One comparison with the remainder then adds 1 or 0, so (q, rest) is right exactly where
 * the estimate is q or q - 1. It is that at both ends, and so at all states between them.
 *
 * All frequencies are more than a bank can have for zero, 2^bits - units * 2^fold with 2047
 * units at most, and no list of those is then needed.
 *
 * Compile it with the other sources of the library and one of
 *     -DC3D_DIVISION='"arith_encode_avx2.c"' -DC3D_DIVISION_WIDE=8
 *     -DC3D_DIVISION='"arith_encode_avx512.c"' -DC3D_DIVISION_WIDE=16
 * and without that file, which is included here to reach the function. Prints the number of
 * divisions; exits with 1 at the first wrong one, with 77 where the processor has no such kernel.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include C3D_DIVISION

#define FUNCTION static TARGET __attribute__((noinline))

#if C3D_DIVISION_WIDE == 16
typedef __m512i vector;
static const c3d_arith_kernel kernel = C3D_ARITH_KERNEL_AVX512;
#define SET(value) _mm512_set1_epi32((int)(value))
#define ADD(a, b) _mm512_add_epi32(a, b)
#define MULTIPLY(a, b) _mm512_mullo_epi32(a, b)
#define STORE(to, value) _mm512_storeu_si512(to, value)
#define COUNTING _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define DIFFERENT(a, b) (_mm512_cmpneq_epi32_mask(a, b) != 0)
#else
typedef __m256i vector;
static const c3d_arith_kernel kernel = C3D_ARITH_KERNEL_AVX2;
#define SET(value) _mm256_set1_epi32((int)(value))
#define ADD(a, b) _mm256_add_epi32(a, b)
#define MULTIPLY(a, b) _mm256_mullo_epi32(a, b)
#define STORE(to, value) _mm256_storeu_si256((__m256i *)(void *)(to), value)
#define COUNTING _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)
#define DIFFERENT(a, b) (_mm256_movemask_epi8(_mm256_cmpeq_epi32(a, b)) != -1)
#endif

enum { LANES = C3D_DIVISION_WIDE };

/* The quotients of f are below this: all classes that are whole. */
static uint64_t quotients_of(uint32_t f)
{
    uint64_t states = (uint64_t)1 << 32;
    uint64_t most = (uint64_t)f << 21;
    return (most < states ? most : states) / f;
}

FUNCTION int fail(uint32_t f, vector x, vector quotient, vector rest)
{
    uint32_t states[LANES];
    uint32_t quotients[LANES];
    uint32_t rests[LANES];
    STORE(states, x);
    STORE(quotients, quotient);
    STORE(rests, rest);
    for (int k = 0; k < LANES; k++) {
        if (quotients[k] != states[k] / f || rests[k] != states[k] % f) {
            printf("%" PRIu32 " / %" PRIu32 " gave %" PRIu32 ", %" PRIu32 "\n", states[k], f,
                   quotients[k], rests[k]);
        }
    }
    return 1;
}

/* The classes of as many quotients as there are lanes, from `first` on. */
FUNCTION int check_run(uint32_t f, uint32_t first)
{
    const vector frequency = SET(f);
    const vector last = SET(f - 1u);
    vector q = ADD(SET(first), COUNTING);
    vector low = MULTIPLY(q, frequency);
    vector high = ADD(low, last);
    vector rest;
    vector quotient = divide(low, frequency, &rest);
    if (DIFFERENT(quotient, q) || DIFFERENT(rest, SET(0))) {
        return fail(f, low, quotient, rest);
    }
    quotient = divide(high, frequency, &rest);
    if (DIFFERENT(quotient, q) || DIFFERENT(rest, last)) {
        return fail(f, high, quotient, rest);
    }
    return 0;
}

/* The last run ends with the last quotient, and may overlap the one before. */
static int check_frequency(uint32_t f, uint64_t step, uint64_t *checked)
{
    uint64_t end = quotients_of(f);
    uint64_t stride = step * LANES;
    uint64_t start = step == 1 ? 0 : f * UINT64_C(2654435761) % stride;
    int failed = check_run(f, 0) || check_run(f, (uint32_t)(end - LANES));
    *checked += 4u * LANES;
    for (uint64_t q = start; q + LANES <= end && !failed; q += stride) {
        failed = check_run(f, (uint32_t)q);
        *checked += 2u * LANES;
    }
    return failed;
}

int main(int argc, char **argv)
{
    uint64_t checked = 0;
    uint64_t step = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (!c3d_arith_kernel_available(kernel)) {
        return 77;
    }
    if (step == 0) {
        printf("STEP is 1 or more\n");
        return 2;
    }
    unsigned mode = _mm_getcsr();
    _mm_setcsr(0x1F80); /* as the kernels set it */
    int failed = 0;
    for (uint32_t f = 1; f <= 65535 && !failed; f++) {
        failed = check_frequency(f, step, &checked);
    }
    _mm_setcsr(mode);
    printf("%" PRIu64 " divisions\n", checked);
    return failed;
}
