/* How long a frame takes. */
#ifndef C3D_TOOL_BENCH_H
#define C3D_TOOL_BENCH_H

#include "files.h"

enum { MOST_FRAMES = 1000 };

/* Prints the median milliseconds of `frames` (1..MOST_FRAMES) rounds from array to bytes and back,
 * after two that are not counted; returns the exit code. `rgb` has room for the image. */
int bench_image(c3d_codec *codec, const ppm_image *image, unsigned quality, unsigned frames,
                uint8_t *rgb);

#endif
