/* The part of ONNX Runtime's C API that is used, by its place in the table of functions.
 *
 * The table only ever grows at its end, so that a place never changes; the places below were
 * tried with the releases 1.28, 1.30 and 1.32 (tests/c_host runs with the installed one). The
 * package of ONNX Runtime for Python, which most hosts have, comes without a header. */
#ifndef C3D_ORT_API_H
#define C3D_ORT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;
typedef struct OrtArenaCfg OrtArenaCfg;

enum { C3D_ORT_LOG_FATAL = 4, C3D_ORT_OPTIMIZE_ALL = 99 };
enum { C3D_ORT_DEVICE_ALLOCATOR = 0, C3D_ORT_ARENA = 1, C3D_ORT_MEMORY_DEFAULT = 0 };

typedef void (*c3d_ort_unused)(void);

typedef struct {
    c3d_ort_unused unused_0[2];
    const char *(*GetErrorMessage)(const OrtStatus *status); /* 2 */
    OrtStatus *(*CreateEnv)(int log_level, const char *log_id, OrtEnv **env);
    c3d_ort_unused unused_4[4];
    OrtStatus *(*CreateSessionFromArray)(const OrtEnv *env, const void *model, size_t size,
                                         const OrtSessionOptions *options,
                                         OrtSession **session); /* 8 */
    OrtStatus *(*Run)(OrtSession *session, const OrtRunOptions *options,
                      const char *const *input_names, const OrtValue *const *inputs,
                      size_t input_count, const char *const *output_names, size_t output_count,
                      OrtValue **outputs);
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **options); /* 10 */
    c3d_ort_unused unused_11[11];
    OrtStatus *(*SetSessionLogSeverityLevel)(OrtSessionOptions *options, int level); /* 22 */
    OrtStatus *(*SetSessionGraphOptimizationLevel)(OrtSessionOptions *options, int level);
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *options, int threads); /* 24 */
    c3d_ort_unused unused_25[24];
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *info, void *data,
                                                 size_t size, const int64_t *shape, size_t rank,
                                                 int element_type, OrtValue **value); /* 49 */
    c3d_ort_unused unused_50[19];
    OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **info); /* 69 */
    c3d_ort_unused unused_70[22];
    void (*ReleaseEnv)(OrtEnv *env); /* 92 */
    void (*ReleaseStatus)(OrtStatus *status);
    void (*ReleaseMemoryInfo)(OrtMemoryInfo *info);
    void (*ReleaseSession)(OrtSession *session);
    void (*ReleaseValue)(OrtValue *value); /* 96 */
    c3d_ort_unused unused_97[3];
    void (*ReleaseSessionOptions)(OrtSessionOptions *options); /* 100 */
    c3d_ort_unused unused_101[29];
    OrtStatus *(*AddSessionConfigEntry)(OrtSessionOptions *options, const char *key,
                                        const char *value); /* 130 */
    c3d_ort_unused unused_131[13];
    OrtStatus *(*CreateAndRegisterAllocator)(OrtEnv *env, const OrtMemoryInfo *info,
                                             const OrtArenaCfg *config); /* 144 */
    c3d_ort_unused unused_145[128];
    OrtStatus *(*SetDeterministicCompute)(OrtSessionOptions *options, bool value); /* 273 */
} c3d_ort_api;

typedef struct {
    const c3d_ort_api *(*GetApi)(uint32_t version); /* null for a version that it is older than */
    const char *(*GetVersionString)(void);
} c3d_ort_base;

#define C3D_ORT_PLACE(name) (offsetof(c3d_ort_api, name) / sizeof(c3d_ort_unused))
_Static_assert(C3D_ORT_PLACE(GetErrorMessage) == 2, "place");
_Static_assert(C3D_ORT_PLACE(CreateSessionOptions) == 10, "place");
_Static_assert(C3D_ORT_PLACE(SetIntraOpNumThreads) == 24, "place");
_Static_assert(C3D_ORT_PLACE(CreateTensorWithDataAsOrtValue) == 49, "place");
_Static_assert(C3D_ORT_PLACE(CreateCpuMemoryInfo) == 69, "place");
_Static_assert(C3D_ORT_PLACE(ReleaseValue) == 96, "place");
_Static_assert(C3D_ORT_PLACE(ReleaseSessionOptions) == 100, "place");
_Static_assert(C3D_ORT_PLACE(AddSessionConfigEntry) == 130, "place");
_Static_assert(C3D_ORT_PLACE(CreateAndRegisterAllocator) == 144, "place");
_Static_assert(C3D_ORT_PLACE(SetDeterministicCompute) == 273, "place");

#endif
