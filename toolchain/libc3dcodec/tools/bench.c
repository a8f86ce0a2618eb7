#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, unsigned count)
{
    qsort(times, count, sizeof *times, compare);
    return (times[(count - 1) / 2] + times[count / 2]) / 2;
}

int bench_image(c3d_codec *codec, const ppm_image *image, unsigned quality, unsigned frames,
                uint8_t *rgb)
{
    enum { WARM_UP = 2 };
    static double encode[MOST_FRAMES], decode[MOST_FRAMES];
    const size_t stride = (size_t)image->width * 3;
    const uint8_t *data;
    size_t size = 0;
    c3d_error error;
    for (unsigned i = 0; i < frames + WARM_UP; i++) {
        const double begin = now_ms();
        c3d_status status = c3d_codec_encode(codec, image->rgb, image->width, image->height,
                                             stride, quality, &data, &size, &error);
        const double between = now_ms();
        if (status == C3D_OK)
            status = c3d_codec_decode(codec, data, size, rgb, stride * image->height, stride,
                                      &error);
        if (status != C3D_OK)
            return tool_failed(status, &error);
        if (i >= WARM_UP) {
            encode[i - WARM_UP] = between - begin;
            decode[i - WARM_UP] = now_ms() - between;
        }
    }
    printf("encode %.2f ms decode %.2f ms bytes %zu (%ux%u, quality %u, median of %u)\n",
           median(encode, frames), median(decode, frames), size, (unsigned)image->width,
           (unsigned)image->height, quality, frames);
    return 0;
}
