/* SHA-256 (FIPS 180-4). */
#ifndef C3D_SHA256_H
#define C3D_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_SHA256_BYTES = 32 };

void c3d_sha256(const uint8_t *data, size_t size, uint8_t digest[C3D_SHA256_BYTES]);

#endif
