/* Between what an entropy path of float transforms says of latents, and the entropy coder.
 *
 * Means and latents are int16 in 1/2^fraction, scales 0..65535 in a unit of their own; y_hat =
 * symbol * 2^fraction + mean stays within +-C3D_LATENT_LARGEST.
 */
#ifndef C3D_NATIVE_GAUSSIANS_H
#define C3D_NATIVE_GAUSSIANS_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_LATENT_LARGEST = 32767, C3D_SCALES = 65536, C3D_MOST_FRACTION = 6 };

/* From `places` times (channels scales, channels means) to a table index and a mean each. table: of
 * every scale; what is outside of it, or of int16, is clipped. */
void c3d_heads(const int32_t *out, size_t places, size_t channels,
               const uint8_t table[C3D_SCALES], uint8_t *index, int16_t *mean);

/* The nearest symbols, half to even, whose y_hat is in range; what is no number is the lowest. */
void c3d_symbols(const float *y, const int16_t *mean, size_t count, int fraction,
                 int16_t *symbols);

/* y_hat of symbols; 0 where one leaves the range. */
int c3d_y_hat(const int16_t *symbols, const int16_t *mean, size_t count, int fraction,
              int16_t *y_hat);

#endif
