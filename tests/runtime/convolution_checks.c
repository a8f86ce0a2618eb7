/* Convolutions of integers on this host: both algorithms alike, and a checksum for other hosts.
 *
 * Usage: convolution_checks MOST; prints the kernel that was taken and the checksum. Every buffer has
 * exactly the size that is asked for, so that a sanitizer sees what leaves it. */
#include "native_winograd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 60, SIDE = 4 };

static uint32_t state = 1;

/* The upper bits of a linear congruence, from low to high. */
static int32_t between(int32_t low, int32_t high)
{
    state = state * 1664525u + 1013904223u;
    return low + (int32_t)((state >> 8) % (uint32_t)(high - low + 1));
}

static void *numbers(size_t count, size_t size)
{
    void *made = malloc(count * size);
    if (!made)
        exit(2);
    return made;
}

typedef struct {
    size_t rows, columns, channels, taps[2], outputs;
} sizes;

/* u of one direction: the sum of taps that product i takes. */
static int factor(size_t taps, size_t i, size_t tap)
{
    static const int three[SIDE][3] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}};
    static const int two[3][2] = {{1, 0}, {1, 1}, {0, 1}};
    return taps == 3 ? three[i][tap] : two[i][tap];
}

/* Where the weight of one output for number k of `inputs` stands in packed weights. */
static size_t place(size_t output, size_t k, size_t inputs, size_t outputs)
{
    const size_t first = output / C3D_CONVOLUTION_BLOCK * C3D_CONVOLUTION_BLOCK;
    const size_t left = c3d_convolution_padded(outputs) - first;
    const size_t lanes = left < C3D_CONVOLUTION_BLOCK ? left : C3D_CONVOLUTION_BLOCK;
    return first * inputs + (k / 2 * lanes + output - first) * 2 + k % 2;
}

/* weight: (outputs, taps, taps, channels) -> packed as it is, and as Winograd's products want it. */
static void pack(const sizes *s, const int16_t *weight, int16_t *direct, int16_t *products)
{
    const size_t c = s->channels, inputs = s->taps[0] * s->taps[1] * c;
    const size_t planes = (s->taps[0] + 1) * (s->taps[1] + 1);
    for (size_t o = 0; o < s->outputs; o++) {
        for (size_t k = 0; k < inputs; k++)
            direct[place(o, k, inputs, s->outputs)] = weight[o * inputs + k];
        for (size_t k = 0; k < planes * c; k++) {
            const size_t row = k / c / (s->taps[1] + 1), column = k / c % (s->taps[1] + 1);
            int32_t sum = 0;
            for (size_t i = 0; i < s->taps[0] * s->taps[1]; i++)
                sum += factor(s->taps[0], row, i / s->taps[1]) *
                       factor(s->taps[1], column, i % s->taps[1]) *
                       weight[o * inputs + i * c + k % c];
            products[place(o, k, planes * c, s->outputs)] = (int16_t)sum;
        }
    }
}

static uint32_t check(const sizes *s, c3d_convolution_kernel kernel)
{
    const size_t padded = c3d_convolution_padded(s->outputs), c = s->channels;
    const size_t high = (s->rows + 1) / 2 * 2 + s->taps[0] - 1;
    const size_t wide = (s->columns + 1) / 2 * 2 + s->taps[1] - 1;
    const size_t inputs = s->taps[0] * s->taps[1] * c, made = s->rows * s->columns * s->outputs;
    const size_t planes = (s->taps[0] + 1) * (s->taps[1] + 1);
    int16_t *x = numbers(high * wide * c, 2), *weight = numbers(s->outputs * inputs, 2);
    int16_t *direct = calloc(padded * inputs, 2), *products = calloc(padded * planes * c, 2);
    int16_t *one = numbers(made, 2), *two = numbers(made, 2);
    int32_t *bias = numbers(padded, 4), *three = numbers(made, 4);
    float *scale = numbers(padded * 4, 4);
    for (size_t i = 0; i < high * wide * c; i++)
        x[i] = (int16_t)between(-8191, 8191);
    for (size_t i = 0; i < s->outputs * inputs; i++)
        weight[i] = (int16_t)between(-200, 200);
    for (size_t i = 0; i < padded; i++) {
        bias[i] = between(-1000000, 1000000);
        scale[i] = 1e-4f * (float)between(1, 9);
        scale[padded + i] = 0.01f * scale[i];
        scale[2 * padded + i] = (float)between(-30000, -10);
        scale[3 * padded + i] = (float)between(10, 30000);
    }
    pack(s, weight, direct, products);
    c3d_convolution_layer layer = {s->taps[0], s->taps[1] * c, s->outputs, direct, bias, scale,
                                   scale + padded, scale + 2 * padded, scale + 3 * padded};
    const c3d_convolution_grid grid = {s->rows, s->columns, wide * c, c, wide * c,
                                       s->columns * s->outputs, s->outputs};
    c3d_convolve(&layer, kernel, &grid, x, one, NULL);
    c3d_convolve(&layer, kernel, &grid, x, NULL, three);
    const c3d_winograd_shape shape = {s->taps[0] + 1, s->taps[1] + 1};
    int16_t *scratch = malloc(c3d_winograd_scratch(&shape, c));
    layer = (c3d_convolution_layer){planes, c, s->outputs, products, bias, scale, scale + padded,
                                    scale + 2 * padded, scale + 3 * padded};
    c3d_winograd(&layer, &shape, kernel, &grid, x, two, NULL, scratch);
    uint32_t sum = 0;
    for (size_t i = 0; i < made; i++) {
        if (one[i] != two[i] || one[i] != three[i])
            exit(1);
        sum = sum * 31u + (uint16_t)one[i];
    }
    void *all[] = {x, weight, direct, products, one, two, three, bias, scale, scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return sum;
}

int main(int count, char **arguments)
{
    const int most = count > 1 ? atoi(arguments[1]) : C3D_CONVOLUTION_VNNI;
    const c3d_convolution_kernel kernel = c3d_convolution_best((c3d_convolution_kernel)most);
    uint32_t total = 0;
    for (int i = 0; i < CASES; i++) {
        sizes s; /* an initialiser would leave the order of the calls to the compiler */
        s.rows = (size_t)between(1, 9);
        s.columns = (size_t)between(1, 9);
        s.channels = 2 * (size_t)between(1, 40);
        s.taps[0] = (size_t)between(2, 3);
        s.taps[1] = (size_t)between(2, 3);
        s.outputs = (size_t)between(1, 100);
        total = total * 31u + check(&s, kernel);
    }
    printf("%d %08x\n", (int)kernel, (unsigned)total);
    return 0;
}
