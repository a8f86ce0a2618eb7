/*
 * c3d_codec: encodes frames to `.c3s` streams and back with one `.c3b` bundle, in plain C.
 *
 * The same bytes and the same pixels as the Python package c3d_export, bit for bit. It computes
 * with ONNX Runtime, which is loaded when a codec is opened and never linked: the name that a
 * program is linked with changes with every release of ONNX Runtime, and a host that lacks the
 * library should get a status, not fail to start.
 *
 * Every function that can fail returns a status. None prints, exits or asserts, and none keeps a
 * global, ONNX Runtime's own aside.
 *
 * Threads: a codec is for one thread at a time. To code in several, open one and make the others
 * with c3d_codec_share: they have buffers of their own, and share networks and tables.
 */
#ifndef C3D_CODEC_H
#define C3D_CODEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(C3D_SHARED) && defined(__GNUC__)
#define C3D_API __attribute__((visibility("default")))
#else
#define C3D_API
#endif

/* Of this interface: the first number changes where old programs must be changed. */
#define C3D_CODEC_VERSION_MAJOR 1
#define C3D_CODEC_VERSION_MINOR 0

/* The oldest ONNX Runtime that exactness was tested with is 1.28. */
#define C3D_RUNTIME_VERSION 28u

#define C3D_ID_BYTES 8

/* The numbers are part of the interface: they never change, new ones are appended. In brackets
 * the class of c3d_export.core.errors that says the same in Python. */
typedef enum c3d_status {
    C3D_OK = 0,
    C3D_ERR_INTERNAL = 1,        /* a fault of this library [C3DError] */
    C3D_ERR_OPTION = 2,          /* a null pointer, or a value that is not allowed [OptionError] */
    C3D_ERR_MISSING_INPUT = 3,   /* the bundle cannot be opened [MissingInputError] */
    C3D_ERR_UNKNOWN_QUALITY = 4, /* the bundle has no such rate point [UnknownQualityError] */
    C3D_ERR_FRAME_SHAPE = 5,     /* sides, pixels or stride beyond the limits [FrameShapeError] */
    C3D_ERR_CAPACITY = 6,        /* the frame does not fit the caller's buffer */
    C3D_ERR_MEMORY = 7,          /* memory ran out [MemoryError] */

    C3D_ERR_DEVICE = 20,          /* only the CPU is supported [ProviderMissingError] */
    C3D_ERR_RUNTIME_MISSING = 21, /* no ONNX Runtime can be loaded [LibraryMissingError] */
    C3D_ERR_RUNTIME_VERSION = 22, /* older than C3D_RUNTIME_VERSION, or lacks an option
                                     [RuntimeOptionError] */
    C3D_ERR_RUNTIME = 23,         /* ONNX Runtime failed while coding [HostError] */
    C3D_ERR_KNOWN_ANSWER = 24,    /* this host computes other numbers [KnownAnswerError] */

    C3D_ERR_STREAM_MAGIC = 40,     /* [StreamMagicError] */
    C3D_ERR_STREAM_VERSION = 41,   /* [StreamVersionError] */
    C3D_ERR_STREAM_TRUNCATED = 42, /* [StreamTruncatedError] */
    C3D_ERR_STREAM_TRAILING = 43,  /* [StreamTrailingError] */
    C3D_ERR_STREAM_HEADER = 44,    /* [StreamHeaderError] */
    C3D_ERR_STREAM_CHECKSUM = 45,  /* [StreamChecksumError] */
    C3D_ERR_STREAM_FOREIGN = 46,   /* made by another bundle [StreamForeignError] */
    C3D_ERR_LATENTS_CHECKSUM = 47, /* decodes to other latents here [LatentsChecksumError] */

    C3D_ERR_BUNDLE_FORMAT = 60,   /* [BundleFormatError] */
    C3D_ERR_BUNDLE_MEMBER = 61,   /* [BundleMemberError] */
    C3D_ERR_BUNDLE_HASH = 62,     /* [BundleHashError] */
    C3D_ERR_BUNDLE_GRAPH = 63,    /* [BundleGraphError] */
    C3D_ERR_BUNDLE_MANIFEST = 64, /* [BundleManifestError] */
    C3D_ERR_BUNDLE_VERSION = 65,  /* [BundleVersionError] */
    C3D_ERR_BUNDLE_SIGNATURE = 66 /* malformed; none is verified [SignatureFormatError] */
} c3d_status;

/* What a status means, one line of English. Never null, also for a number that is none. */
C3D_API const char *c3d_status_text(c3d_status status);

/* What a program exits with: 0 done, 1 internal, 2 usage, 4 the host lacks something, 5 a corrupt
 * or foreign file. */
C3D_API int c3d_status_exit_code(c3d_status status);

/* What went wrong in one call, a line that says what to do; empty after C3D_OK. Every function
 * takes null instead. */
typedef struct c3d_error {
    char message[256];
} c3d_error;

/* Two ways to compute the same integers. */
typedef enum c3d_flavour {
    C3D_FLAVOUR_QLINEAR = 0, /* in 8 bits: the default, and the faster one */
    C3D_FLAVOUR_FLOAT = 1
} c3d_flavour;

/* Only the CPU as yet; any other number is C3D_ERR_DEVICE. */
typedef enum c3d_device { C3D_DEVICE_CPU = 0 } c3d_device;

typedef struct c3d_options {
    size_t size; /* sizeof(c3d_options): C3D_OPTIONS_INIT sets it */
    c3d_flavour flavour;
    c3d_device device;
    unsigned threads;         /* 0: one each core; at most 1024 */
    const char *runtime_path; /* of ONNX Runtime's library; null: by name, as the loader finds it */
    const void *runtime_base; /* what OrtGetApiBase() gives, where the program has it already */
} c3d_options;

/* clang-format off */
#define C3D_OPTIONS_INIT \
    { sizeof(c3d_options), C3D_FLAVOUR_QLINEAR, C3D_DEVICE_CPU, 0, NULL, NULL }
/* clang-format on */

typedef struct c3d_codec c3d_codec;

/*
 * Opens a bundle: checks all of it, makes the networks, and runs the known answers, which takes
 * about a tenth of a second. `options` may be null for the defaults. On success *codec is to be
 * closed with c3d_codec_close; on failure it is null.
 * Errors, in the order of the checks: OPTION, DEVICE, MISSING_INPUT, MEMORY, the BUNDLE_ ones,
 * RUNTIME_MISSING, RUNTIME_VERSION, RUNTIME, KNOWN_ANSWER.
 */
C3D_API c3d_status c3d_codec_open(const char *path, const c3d_options *options, c3d_codec **codec,
                                  c3d_error *error);

/* As c3d_codec_open, from the `size` bytes of a bundle, which are not needed afterwards. */
C3D_API c3d_status c3d_codec_open_memory(const void *data, size_t size, const c3d_options *options,
                                         c3d_codec **codec, c3d_error *error);

/* Another codec of the same bundle with the same options, for another thread. It shares all that
 * does not change, so that this takes no time and little memory; it is closed by itself.
 * Errors: OPTION, MEMORY. */
C3D_API c3d_status c3d_codec_share(const c3d_codec *codec, c3d_codec **other, c3d_error *error);

/* Null is allowed. No call with this codec may still be running. */
C3D_API void c3d_codec_close(c3d_codec *codec);

/* Rate points go from 1, the smallest streams, to this number. 0 for null. */
C3D_API unsigned c3d_codec_qualities(const c3d_codec *codec);

/* The identity of the bundle, which its streams carry. Zeros for null. */
C3D_API void c3d_codec_id(const c3d_codec *codec, uint8_t id[C3D_ID_BYTES]);

/*
 * Encodes a frame: `height` rows of `width` pixels of 3 bytes, R G B, a row every `stride` bytes
 * (3 * width, or more). *data and *size are the stream, in memory of the codec that stays as it
 * is until its next c3d_codec_encode.
 * Errors, in the order of the checks: OPTION, UNKNOWN_QUALITY, FRAME_SHAPE, MEMORY, RUNTIME.
 */
C3D_API c3d_status c3d_codec_encode(c3d_codec *codec, const uint8_t *rgb, uint32_t width,
                                    uint32_t height, size_t stride, unsigned quality,
                                    const uint8_t **data, size_t *size, c3d_error *error);

typedef struct c3d_stream_info {
    uint32_t width, height; /* 1..16384, with at most 89,478,485 pixels */
    unsigned quality;       /* 1..255 */
    uint8_t id[C3D_ID_BYTES];
    uint64_t size; /* bytes of the whole stream */
} c3d_stream_info;

/*
 * Reads the header of a stream of which the first 32 bytes, or more, are given.
 * Errors, in the order of the checks: OPTION, STREAM_TRUNCATED (empty), STREAM_MAGIC,
 * STREAM_VERSION, STREAM_TRUNCATED, STREAM_CHECKSUM, STREAM_HEADER.
 */
C3D_API c3d_status c3d_peek(const void *data, size_t size, c3d_stream_info *info,
                            c3d_error *error);

/*
 * Decodes a stream of exactly `size` bytes into `rgb`, a row every `stride` bytes; c3d_peek tells
 * width and height before. Nothing between the rows is written. `capacity` is the bytes of `rgb`,
 * at least (height - 1) * stride + 3 * width.
 * Errors, in the order of the checks: OPTION, then as in docs/stream-format.md those of c3d_peek,
 * STREAM_TRUNCATED, STREAM_TRAILING, STREAM_VERSION, STREAM_HEADER, STREAM_CHECKSUM,
 * STREAM_FOREIGN, STREAM_HEADER; then FRAME_SHAPE for the stride, CAPACITY, MEMORY, RUNTIME,
 * LATENTS_CHECKSUM. What is in `rgb` after an error is unspecified.
 */
C3D_API c3d_status c3d_codec_decode(c3d_codec *codec, const void *data, size_t size, uint8_t *rgb,
                                    size_t capacity, size_t stride, c3d_error *error);

#ifdef __cplusplus
}
#endif

#endif
