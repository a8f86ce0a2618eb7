/* ONNX Runtime: its library, the sessions of the six networks, and tensors in our own memory. */
#ifndef C3D_RUNTIME_H
#define C3D_RUNTIME_H

#include "bundle.h"
#include "fail.h"
#include "ort_api.h"

typedef struct {
    const c3d_ort_api *api;
    OrtEnv *env;
    OrtMemoryInfo *memory;
    OrtSession *sessions[C3D_GRAPHS];
} c3d_runtime;

/* Loads the library and makes a session of each graph of the bundle. Errors: RUNTIME_MISSING,
 * RUNTIME_VERSION, BUNDLE_FORMAT for a graph that is refused. What was made stays in *runtime, also
 * on failure: close it. */
c3d_status c3d_runtime_open(const c3d_options *options, const c3d_bundle *bundle,
                            c3d_runtime *runtime, c3d_error *error);

void c3d_runtime_close(c3d_runtime *runtime);

/* Element (1, rows, columns, channels) of a network's input or output. */
typedef struct {
    void *data;
    size_t rows, columns, channels;
} c3d_tensor;

/* A network's inputs and outputs, bound to memory that outlives it. */
typedef struct {
    OrtValue *inputs[C3D_MOST_INPUTS], *outputs[C3D_MOST_OUTPUTS];
} c3d_binding;

/* Tensors in the order of the ports of the graph; RUNTIME. Free what was made, also on failure. */
c3d_status c3d_bind(const c3d_runtime *runtime, c3d_graph graph, const c3d_tensor *inputs,
                    const c3d_tensor *outputs, c3d_binding *binding, c3d_error *error);

void c3d_unbind(const c3d_runtime *runtime, c3d_binding *binding);

/* Runs a network on what its inputs hold; RUNTIME. Safe to call by several threads. */
c3d_status c3d_runtime_run(const c3d_runtime *runtime, c3d_graph graph, c3d_binding *binding,
                   c3d_error *error);

#endif
