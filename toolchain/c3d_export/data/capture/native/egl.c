/* EGL: programs on Wayland, on X11, and without any window. */
#include "preload.h"

enum { EGL_HEIGHT = 0x3056, EGL_WIDTH = 0x3057, EGL_READ = 0x305A };

typedef unsigned (*swap_function)(void *, void *);
typedef unsigned (*damage_function)(void *, void *, const int32_t *, int32_t);
typedef c3d_function (*find_function)(const char *);

/* Some drivers hand out extensions only; the functions of OpenGL are in the library then. */
static c3d_function egl_find(const char *name)
{
    find_function find = (find_function)c3d_real(C3D_EGL_FIND);
    c3d_function found = find == NULL ? NULL : find(name);
    if (found == NULL) {
        found = c3d_find(name, name[0] == 'e' ? "libEGL.so.1" : "libGLESv2.so.2");
    }
    return found;
}

static bool egl_is_current(const c3d_surface *surface)
{
    typedef void *(*current)(int32_t);
    current read = (current)egl_find("eglGetCurrentSurface");
    return read != NULL && (uintptr_t)read(EGL_READ) == surface->drawable;
}

static void *egl_context(void)
{
    typedef void *(*current)(void);
    current context = (current)egl_find("eglGetCurrentContext");
    return context == NULL ? NULL : context();
}

static bool egl_size(const c3d_surface *surface, uint32_t *width, uint32_t *height)
{
    typedef unsigned (*query)(void *, void *, int32_t, int32_t *);
    query ask = (query)egl_find("eglQuerySurface");
    int32_t w = 0, h = 0;
    if (ask == NULL || !ask(surface->display, (void *)surface->drawable, EGL_WIDTH, &w) ||
        !ask(surface->display, (void *)surface->drawable, EGL_HEIGHT, &h) || w < 1 || h < 1) {
        return false;
    }
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    return true;
}

static c3d_surface surface_of(void *display, void *surface)
{
    return (c3d_surface){display,     (uintptr_t)surface, egl_is_current, egl_size,
                         egl_context, egl_find};
}

C3D_HOOK unsigned eglSwapBuffers(void *display, void *drawn)
{
    const c3d_surface surface = surface_of(display, drawn);
    swap_function real = (swap_function)c3d_real(C3D_EGL_SWAP);
    if (real == NULL) {
        return 0;
    }
    c3d_before_swap(&surface);
    unsigned done = real(display, drawn);
    if (done) { /* a failure leaves its reason, which we would overwrite */
        c3d_after_swap(&surface);
    }
    return done;
}

static unsigned swap_damaged(enum c3d_hook hook, void *display, void *drawn,
                             const int32_t *rectangles, int32_t count)
{
    const c3d_surface surface = surface_of(display, drawn);
    damage_function real = (damage_function)c3d_real(hook);
    if (real == NULL) {
        return 0;
    }
    c3d_before_swap(&surface);
    unsigned done = real(display, drawn, rectangles, count);
    if (done) {
        c3d_after_swap(&surface);
    }
    return done;
}

C3D_HOOK unsigned eglSwapBuffersWithDamageKHR(void *display, void *drawn,
                                              const int32_t *rectangles, int32_t count)
{
    return swap_damaged(C3D_EGL_SWAP_DAMAGE_KHR, display, drawn, rectangles, count);
}

C3D_HOOK unsigned eglSwapBuffersWithDamageEXT(void *display, void *drawn,
                                              const int32_t *rectangles, int32_t count)
{
    return swap_damaged(C3D_EGL_SWAP_DAMAGE_EXT, display, drawn, rectangles, count);
}

C3D_HOOK c3d_function eglGetProcAddress(const char *name)
{
    find_function real = (find_function)c3d_real(C3D_EGL_FIND);
    return real == NULL ? NULL : c3d_hooked(name, real(name));
}
