/*
 * The real functions. A program that is linked with a library calls our function of that name,
 * because we are loaded first. Others (SDL, GLFW, loaders of OpenGL) open the library themselves
 * and ask dlsym, glXGetProcAddress or eglGetProcAddress: these hand out our function too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "preload.h"

typedef void *(*find_symbol)(void *, const char *);

/* Functions and objects have pointers of one size here: POSIX asks for that. */
#define AS_FUNCTION(pointer) ((c3d_function)(uintptr_t)(pointer))
#define AS_POINTER(function) ((void *)(uintptr_t)(function))

extern C3D_HOOK void glXSwapBuffers(void *, uintptr_t);
extern C3D_HOOK c3d_function glXGetProcAddress(const unsigned char *);
extern C3D_HOOK c3d_function glXGetProcAddressARB(const unsigned char *);
extern C3D_HOOK unsigned eglSwapBuffers(void *, void *);
extern C3D_HOOK unsigned eglSwapBuffersWithDamageKHR(void *, void *, const int32_t *, int32_t);
extern C3D_HOOK unsigned eglSwapBuffersWithDamageEXT(void *, void *, const int32_t *, int32_t);
extern C3D_HOOK c3d_function eglGetProcAddress(const char *);

static const struct {
    const char *name;
    const char *library;
    c3d_function ours;
} hooks[C3D_HOOKS] = {
    [C3D_GLX_SWAP] = {"glXSwapBuffers", "libGL.so.1", (c3d_function)glXSwapBuffers},
    [C3D_GLX_FIND] = {"glXGetProcAddress", "libGL.so.1", (c3d_function)glXGetProcAddress},
    [C3D_GLX_FIND_ARB] = {"glXGetProcAddressARB", "libGL.so.1",
                          (c3d_function)glXGetProcAddressARB},
    [C3D_EGL_SWAP] = {"eglSwapBuffers", "libEGL.so.1", (c3d_function)eglSwapBuffers},
    [C3D_EGL_SWAP_DAMAGE_KHR] = {"eglSwapBuffersWithDamageKHR", "libEGL.so.1",
                                 (c3d_function)eglSwapBuffersWithDamageKHR},
    [C3D_EGL_SWAP_DAMAGE_EXT] = {"eglSwapBuffersWithDamageEXT", "libEGL.so.1",
                                 (c3d_function)eglSwapBuffersWithDamageEXT},
    [C3D_EGL_FIND] = {"eglGetProcAddress", "libEGL.so.1", (c3d_function)eglGetProcAddress},
};

static _Atomic(c3d_function) reals[C3D_HOOKS];

/* The version of dlsym differs: glibc 2.34 moved it, and every processor began with another one. */
static find_symbol real_dlsym(void)
{
    static _Atomic(find_symbol) known;
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17",
                                           "GLIBC_2.27", "GLIBC_2.36", "GLIBC_2.4"};
    find_symbol found = atomic_load(&known);
    for (size_t i = 0; found == NULL && i < sizeof versions / sizeof *versions; i++) {
        found = (find_symbol)AS_FUNCTION(dlvsym(RTLD_NEXT, "dlsym", versions[i]));
    }
    atomic_store(&known, found);
    return found;
}

static int hook_of(const char *name)
{
    if (name == NULL || (strncmp(name, "glX", 3) != 0 && strncmp(name, "egl", 3) != 0)) {
        return C3D_HOOKS;
    }
    int hook = 0;
    while (hook < C3D_HOOKS && strcmp(name, hooks[hook].name) != 0) {
        hook++;
    }
    return hook;
}

/* A program may close its library and open it again; what we keep of it must stay there. */
static void pin(c3d_function function)
{
    Dl_info info;
    if (dladdr(AS_POINTER(function), &info) != 0 && info.dli_fname != NULL) {
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

c3d_function c3d_hooked(const char *name, c3d_function real)
{
    int hook = real == NULL ? C3D_HOOKS : hook_of(name);
    if (hook == C3D_HOOKS || real == hooks[hook].ours) {
        return real;
    }
    if (atomic_exchange(&reals[hook], real) != real) {
        pin(real);
    }
    return hooks[hook].ours;
}

c3d_function c3d_find(const char *name, const char *library)
{
    find_symbol real = real_dlsym();
    if (real == NULL) {
        return NULL;
    }
    void *found = real(RTLD_NEXT, name);
    if (found == NULL) {
        /* One that a program has opened for itself alone. The reference is kept: see `pin`. */
        void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
        found = handle == NULL ? NULL : real(handle, name);
    }
    return AS_FUNCTION(found);
}

c3d_function c3d_real(enum c3d_hook hook)
{
    c3d_function real = atomic_load(&reals[hook]);
    if (real == NULL) {
        real = c3d_find(hooks[hook].name, hooks[hook].library);
        if (real == NULL && hook <= C3D_GLX_FIND_ARB) { /* some link with it alone */
            real = c3d_find(hooks[hook].name, "libGLX.so.0");
        }
        if (real != NULL) {
            c3d_hooked(hooks[hook].name, real);
        }
    }
    return real;
}

/* As dlsym, for a name that we have too: what the program would have found without us. */
static void *find_hooked(find_symbol real, void *handle, const char *name)
{
    c3d_function ours = hooks[hook_of(name)].ours;
    c3d_function found = AS_FUNCTION(real(handle == RTLD_DEFAULT ? RTLD_NEXT : handle, name));
    if (found == ours) { /* the handle of the program itself finds us first */
        found = AS_FUNCTION(real(RTLD_NEXT, name));
    }
    return AS_POINTER(c3d_hooked(name, found));
}

C3D_HOOK void *dlsym(void *restrict handle, const char *restrict name)
{
    find_symbol real = real_dlsym();
    if (real == NULL) {
        return NULL; /* no known glibc; nothing can be done */
    }
    if (hook_of(name) != C3D_HOOKS) {
        return find_hooked(real, handle, name);
    }
    /* A tail call: for RTLD_NEXT the real one looks at where it was called from. */
    return real(handle, name);
}
