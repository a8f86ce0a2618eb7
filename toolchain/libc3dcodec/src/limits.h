/* Limits of what is read from outside: those of c3d_export.core.limits, where the reasons are. */
#ifndef C3D_LIMITS_H
#define C3D_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays of a bundle are little-endian and used as they stand; this host is not"
#endif

#define C3D_MIB ((size_t)1 << 20)
#define C3D_MAX_SIDE 16384u
#define C3D_MAX_PIXELS 89478485u
#define C3D_MAX_STREAM_BYTES (256 * C3D_MIB)
#define C3D_MAX_BUNDLE_BYTES (64 * C3D_MIB)
#define C3D_MAX_MEMBER_BYTES (48 * C3D_MIB)
#define C3D_MAX_MEMBERS 256u
#define C3D_MAX_MEMBER_NAME 100u
#define C3D_MAX_SIGNATURES 8u
#define C3D_MAX_SIGNATURES_BYTES 4096u
#define C3D_MAX_GRAPH_FIELDS 65536u
#define C3D_MAX_GRAPH_NODES 1024u
#define C3D_MAX_GRAPH_INITIALIZERS 1024u
#define C3D_MAX_TENSOR_BYTES (16 * C3D_MIB)
#define C3D_MAX_TENSOR_RANK 4u
#define C3D_MAX_GRAPH_NAME_BYTES 128u
#define C3D_MAX_NODE_VALUES 16u
#define C3D_MAX_ATTRIBUTE_VALUE 16u
#define C3D_MAX_ATTRIBUTE_VALUES 8u
#define C3D_MAX_GRAPH_GROUPS 4096u
#define C3D_MAX_JSON_BYTES (4 * C3D_MIB)
#define C3D_MAX_JSON_DEPTH 32u
#define C3D_MAX_THREADS 1024u

static inline int c3d_size_fits(uint32_t width, uint32_t height)
{
    return width >= 1 && width <= C3D_MAX_SIDE && height >= 1 && height <= C3D_MAX_SIDE &&
           width * height <= C3D_MAX_PIXELS;
}

#endif
