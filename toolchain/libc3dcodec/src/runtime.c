#include "runtime.h"

#include <dlfcn.h>
#include <string.h>

#ifndef C3D_RUNTIME_LIBRARY
#ifdef __APPLE__
#define C3D_RUNTIME_LIBRARY "libonnxruntime.dylib"
#else
#define C3D_RUNTIME_LIBRARY "libonnxruntime.so.1"
#endif
#endif

/* What ONNX Runtime says, up to its first line break, with our words before it. */
static c3d_status refused(const c3d_ort_api *api, OrtStatus *said, c3d_status status,
                          const char *what, c3d_error *error)
{
    if (said == NULL)
        return C3D_OK;
    const char *text = api->GetErrorMessage(said);
    c3d_fail(error, status, "%s: %.*s", what, (int)strcspn(text, "\r\n"), text);
    api->ReleaseStatus(said);
    return status;
}

/* The library stays loaded: ONNX Runtime's threads and tables do not survive being unloaded. */
static c3d_status load(const c3d_options *options, const c3d_ort_base **base, c3d_error *error)
{
    typedef const c3d_ort_base *(*get_base)(void);
    get_base get = NULL;
    *base = options->runtime_base;
    if (*base != NULL)
        return C3D_OK;
    const char *name = options->runtime_path ? options->runtime_path : C3D_RUNTIME_LIBRARY;
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        return c3d_fail(error, C3D_ERR_RUNTIME_MISSING,
                        "ONNX Runtime cannot be loaded: %s; install it or give its path",
                        reason ? reason : name);
    }
    void *found = dlsym(library, "OrtGetApiBase");
    /* ISO C has no way from void * to a function; POSIX has them of one size. */
    memcpy(&get, &found, sizeof get);
    *base = found ? get() : NULL;
    if (*base == NULL)
        return c3d_fail(error, C3D_ERR_RUNTIME_MISSING,
                        "%s is not ONNX Runtime; give the path of its library", name);
    return C3D_OK;
}

static c3d_status set_options(const c3d_ort_api *api, unsigned threads, OrtSessionOptions *o,
                              c3d_error *error)
{
    OrtStatus *said = api->SetSessionGraphOptimizationLevel(o, C3D_ORT_OPTIMIZE_ALL);
    if (said == NULL)
        said = api->SetIntraOpNumThreads(o, (int)threads);
    if (said == NULL)
        said = api->SetDeterministicCompute(o, true);
    /* Errors come back as statuses; what is logged besides would go to stderr. */
    if (said == NULL)
        said = api->SetSessionLogSeverityLevel(o, C3D_ORT_LOG_FATAL);
    /* Spinning workers of six sessions would starve the passes and the coder between them. */
    if (said == NULL)
        said = api->AddSessionConfigEntry(o, "session.intra_op.allow_spinning", "0");
    /* Bytes can be read as ONNX or as ONNX Runtime's own format, and the first was checked. */
    if (said == NULL)
        said = api->AddSessionConfigEntry(o, "session.load_model_format", "ONNX");
    if (said == NULL)
        said = api->AddSessionConfigEntry(o, "session.use_env_allocators", "1");
    return refused(api, said, C3D_ERR_RUNTIME_VERSION,
                   "ONNX Runtime does not take an option that exactness rests on", error);
}

/* One arena for all sessions of the process: else each would keep one of its own for the largest
 * frame that it saw, and the six networks of a codec run one after the other. Whoever uses ONNX
 * Runtime besides may have registered one already, which then serves as well. */
static void share_memory(const c3d_runtime *r)
{
    OrtMemoryInfo *info = NULL;
    OrtStatus *said = r->api->CreateCpuMemoryInfo(C3D_ORT_ARENA, C3D_ORT_MEMORY_DEFAULT, &info);
    if (said == NULL)
        said = r->api->CreateAndRegisterAllocator(r->env, info, NULL);
    if (said != NULL)
        r->api->ReleaseStatus(said);
    if (info != NULL)
        r->api->ReleaseMemoryInfo(info);
}

static c3d_status open_sessions(unsigned threads, const c3d_bundle *bundle, c3d_runtime *r,
                                c3d_error *error)
{
    OrtSessionOptions *o = NULL;
    OrtStatus *said = r->api->CreateSessionOptions(&o);
    C3D_TRY(refused(r->api, said, C3D_ERR_RUNTIME, "ONNX Runtime does not start", error));
    c3d_status status = set_options(r->api, threads, o, error);
    for (int i = 0; i < C3D_GRAPHS && status == C3D_OK; i++) {
        said = r->api->CreateSessionFromArray(r->env, bundle->graphs[i].data,
                                              bundle->graphs[i].size, o, &r->sessions[i]);
        status = refused(r->api, said, C3D_ERR_BUNDLE_FORMAT,
                         "ONNX Runtime refuses a graph of the bundle", error);
    }
    r->api->ReleaseSessionOptions(o);
    return status;
}

c3d_status c3d_runtime_open(const c3d_options *options, const c3d_bundle *bundle,
                            c3d_runtime *r, c3d_error *error)
{
    const c3d_ort_base *base;
    memset(r, 0, sizeof *r);
    C3D_TRY(load(options, &base, error));
    const c3d_ort_api *api = base->GetApi(C3D_RUNTIME_VERSION);
    if (api == NULL)
        return c3d_fail(error, C3D_ERR_RUNTIME_VERSION,
                        "ONNX Runtime is %s, and 1.%u or newer is needed; update it",
                        base->GetVersionString(), C3D_RUNTIME_VERSION);
    r->api = api;
    OrtStatus *said = api->CreateEnv(C3D_ORT_LOG_FATAL, "c3d", &r->env);
    if (said == NULL)
        said = api->CreateCpuMemoryInfo(C3D_ORT_DEVICE_ALLOCATOR, C3D_ORT_MEMORY_DEFAULT,
                                        &r->memory);
    C3D_TRY(refused(api, said, C3D_ERR_RUNTIME, "ONNX Runtime does not start", error));
    share_memory(r);
    return open_sessions(options->threads, bundle, r, error);
}

void c3d_runtime_close(c3d_runtime *r)
{
    if (r->api == NULL)
        return;
    for (int i = 0; i < C3D_GRAPHS; i++)
        if (r->sessions[i] != NULL)
            r->api->ReleaseSession(r->sessions[i]);
    if (r->memory != NULL)
        r->api->ReleaseMemoryInfo(r->memory);
    if (r->env != NULL)
        r->api->ReleaseEnv(r->env);
}

static c3d_status bind_port(const c3d_runtime *r, const c3d_port *port, const c3d_tensor *t,
                            OrtValue **value, c3d_error *error)
{
    const int64_t shape[4] = {1, (int64_t)t->rows, (int64_t)t->columns, (int64_t)t->channels};
    const size_t size = t->rows * t->columns * t->channels * c3d_element_bytes(port->type);
    OrtStatus *said = r->api->CreateTensorWithDataAsOrtValue(r->memory, t->data, size, shape, 4,
                                                             (int)port->type, value);
    return refused(r->api, said, C3D_ERR_RUNTIME, "ONNX Runtime takes no tensor", error);
}

c3d_status c3d_bind(const c3d_runtime *r, c3d_graph graph, const c3d_tensor *inputs,
                    const c3d_tensor *outputs, c3d_binding *b, c3d_error *error)
{
    const c3d_ports *ports = &c3d_graph_ports[graph];
    for (size_t i = 0; i < c3d_port_count(ports->inputs, C3D_MOST_INPUTS); i++)
        C3D_TRY(bind_port(r, &ports->inputs[i], &inputs[i], &b->inputs[i], error));
    for (size_t i = 0; i < c3d_port_count(ports->outputs, C3D_MOST_OUTPUTS); i++)
        C3D_TRY(bind_port(r, &ports->outputs[i], &outputs[i], &b->outputs[i], error));
    return C3D_OK;
}

void c3d_unbind(const c3d_runtime *r, c3d_binding *b)
{
    for (size_t i = 0; i < C3D_MOST_INPUTS; i++)
        if (b->inputs[i] != NULL)
            r->api->ReleaseValue(b->inputs[i]);
    for (size_t i = 0; i < C3D_MOST_OUTPUTS; i++)
        if (b->outputs[i] != NULL)
            r->api->ReleaseValue(b->outputs[i]);
    memset(b, 0, sizeof *b);
}

c3d_status c3d_runtime_run(const c3d_runtime *r, c3d_graph graph, c3d_binding *b, c3d_error *error)
{
    const c3d_ports *ports = &c3d_graph_ports[graph];
    const char *input_names[C3D_MOST_INPUTS], *output_names[C3D_MOST_OUTPUTS];
    const size_t inputs = c3d_port_count(ports->inputs, C3D_MOST_INPUTS);
    const size_t outputs = c3d_port_count(ports->outputs, C3D_MOST_OUTPUTS);
    for (size_t i = 0; i < inputs; i++)
        input_names[i] = ports->inputs[i].name;
    for (size_t i = 0; i < outputs; i++)
        output_names[i] = ports->outputs[i].name;
    OrtStatus *said = r->api->Run(r->sessions[graph], NULL, input_names,
                                  (const OrtValue *const *)b->inputs, inputs, output_names,
                                  outputs, b->outputs);
    return refused(r->api, said, C3D_ERR_RUNTIME, "ONNX Runtime fails", error);
}
