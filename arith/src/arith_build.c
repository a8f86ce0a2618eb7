/* Counts of symbols to frequencies, in integers: Webster's apportionment with a floor of one. */
#include "arith_internal.h"

/* Whether the first has the higher claim a/b > c/d: products of 32 and 17 bits. */
static int above(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return a * d > c * b;
}

/* The entry that gains most by one unit more: the highest weight / (2 f + 1), the first of
 * equals. ln((f + 1) / f) is 1 / (f + 1/2) up to a third-order term. */
static size_t most_wanting(const uint32_t *weights, const uint32_t *frequencies, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (above(weights[i], 2u * (uint64_t)frequencies[i] + 1u, weights[best],
                  2u * (uint64_t)frequencies[best] + 1u)) {
            best = i;
        }
    }
    return best;
}

/* The entry that loses least by one unit less: the lowest weight / (2 f - 1) of those above
 * one, the first of equals; n where there is none. */
static size_t least_wanting(const uint32_t *weights, const uint32_t *frequencies, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        if (frequencies[i] > 1 &&
            (best == n || above(weights[best], 2u * (uint64_t)frequencies[best] - 1u,
                                weights[i], 2u * (uint64_t)frequencies[i] - 1u))) {
            best = i;
        }
    }
    return best;
}

/* n frequencies of one or more that sum to `total`, which is n or more. */
static void apportion(const uint32_t *weights, size_t n, uint32_t total, uint32_t *frequencies)
{
    uint64_t weight = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        weight += weights[i];
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t share = (uint32_t)((uint64_t)weights[i] * total / weight);
        frequencies[i] = share > 1 ? share : 1;
        sum += frequencies[i];
    }
    for (; sum < total; sum++) {
        frequencies[most_wanting(weights, frequencies, n)]++;
    }
    for (; sum > total; sum--) {
        frequencies[least_wanting(weights, frequencies, n)]--;
    }
}

static c3d_arith_status check_build(const uint32_t *weights, const c3d_arith_shape *shape)
{
    if (shape->fold > C3D_ARITH_MAX_FOLD) {
        return C3D_ARITH_ERR_TABLES_RANGE;
    }
    if (shape->below > C3D_ARITH_MAX_GROUPS || shape->above > C3D_ARITH_MAX_GROUPS) {
        return C3D_ARITH_ERR_TABLES_SIZE;
    }
    uint32_t any = 0;
    for (size_t i = 0; i < (size_t)shape->below + shape->above + 2; i++) {
        any |= weights[i];
    }
    return any != 0 ? C3D_ARITH_OK : C3D_ARITH_ERR_TABLES_ZERO;
}

c3d_arith_status c3d_arith_table_build(const uint32_t *weights, c3d_arith_shape *shape,
                                       uint32_t *frequencies)
{
    if (weights == NULL || shape == NULL || frequencies == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    c3d_arith_status status = check_build(weights, shape);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    size_t n = (size_t)shape->below + shape->above + 2;
    uint32_t bits = shape->fold > 0 ? C3D_ARITH_MIN_BITS : C3D_ARITH_MAX_BITS;
    apportion(weights, n, 1u << bits, frequencies);
    while ((1u << bits) - frequencies[0] > C3D_ARITH_MAX_UNITS) {
        bits--;
        apportion(weights, n, 1u << bits, frequencies);
    }
    frequencies[0] <<= shape->fold;
    shape->bits = (uint16_t)(bits + shape->fold);
    return C3D_ARITH_OK;
}
