/* GLX: programs with a window of X11. */
#include <stdatomic.h>

#include "preload.h"

enum { GLX_WIDTH = 0x801D, GLX_HEIGHT = 0x801E };

typedef void (*swap_function)(void *, uintptr_t);
typedef c3d_function (*find_function)(const unsigned char *);

/* XErrorEvent of Xlib. */
typedef struct {
    int type;
    void *display;
    unsigned long resource, serial;
    unsigned char error, request, minor;
} x_error;
typedef int (*x_handler)(void *, x_error *);

/* Set only under the lock of swap.c. */
static struct {
    uintptr_t drawable;
    atomic_bool failed;
    x_handler before;
} asked;

static int on_x_error(void *display, x_error *error)
{
    if (error->resource == asked.drawable) {
        atomic_store(&asked.failed, true);
        return 0;
    }
    return asked.before == NULL ? 0 : asked.before(display, error);
}

/*
 * The size of a window. A GLXWindow is none to X11, which calls the program's handler for errors
 * then, and that one would end it: so ours is in its place while we ask.
 */
static bool window_size(const c3d_surface *surface, uint32_t *width, uint32_t *height)
{
    typedef int (*geometry)(void *, uintptr_t, unsigned long *, int *, int *, unsigned *,
                            unsigned *, unsigned *, unsigned *);
    typedef x_handler (*set_handler)(x_handler);
    geometry ask = (geometry)c3d_find("XGetGeometry", "libX11.so.6");
    set_handler set = (set_handler)c3d_find("XSetErrorHandler", "libX11.so.6");
    if (ask == NULL || set == NULL) {
        return false;
    }
    unsigned long root;
    int x, y;
    unsigned border, depth;
    asked.drawable = surface->drawable;
    atomic_store(&asked.failed, false);
    asked.before = set(on_x_error);
    int done = ask(surface->display, surface->drawable, &root, &x, &y, width, height, &border,
                   &depth);
    set(asked.before);
    return done != 0 && !atomic_load(&asked.failed);
}

static bool drawable_size(const c3d_surface *surface, uint32_t *width, uint32_t *height)
{
    typedef void (*query)(void *, uintptr_t, int, unsigned *);
    query ask = (query)surface->find("glXQueryDrawable");
    if (ask == NULL) {
        return false;
    }
    ask(surface->display, surface->drawable, GLX_WIDTH, width);
    ask(surface->display, surface->drawable, GLX_HEIGHT, height);
    return true;
}

/*
 * Nearly all programs draw on the window itself, of which not every server answers
 * glXQueryDrawable; for a GLXWindow or a buffer off the screen that is the way.
 */
static bool glx_size(const c3d_surface *surface, uint32_t *width, uint32_t *height)
{
    static uintptr_t no_window;
    *width = *height = 0;
    if (surface->drawable != no_window && window_size(surface, width, height)) {
        return true;
    }
    no_window = surface->drawable;
    return drawable_size(surface, width, height);
}

static c3d_function glx_find(const char *name)
{
    find_function find = (find_function)c3d_real(C3D_GLX_FIND_ARB);
    c3d_function found = find == NULL ? NULL : find((const unsigned char *)name);
    return found == NULL ? c3d_find(name, "libGL.so.1") : found;
}

static bool glx_is_current(const c3d_surface *surface)
{
    typedef uintptr_t (*current)(void);
    current read = (current)glx_find("glXGetCurrentReadDrawable");
    return read != NULL && read() == surface->drawable;
}

static void *glx_context(void)
{
    typedef void *(*current)(void);
    current context = (current)glx_find("glXGetCurrentContext");
    return context == NULL ? NULL : context();
}

C3D_HOOK void glXSwapBuffers(void *display, uintptr_t drawable)
{
    const c3d_surface surface = {display, drawable, glx_is_current, glx_size, glx_context,
                                 glx_find};
    swap_function real = (swap_function)c3d_real(C3D_GLX_SWAP);
    if (real == NULL) {
        return;
    }
    c3d_before_swap(&surface);
    real(display, drawable);
    c3d_after_swap(&surface);
}

static c3d_function find_hooked(enum c3d_hook hook, const unsigned char *name)
{
    find_function real = (find_function)c3d_real(hook);
    return real == NULL ? NULL : c3d_hooked((const char *)name, real(name));
}

C3D_HOOK c3d_function glXGetProcAddress(const unsigned char *name)
{
    return find_hooked(C3D_GLX_FIND, name);
}

C3D_HOOK c3d_function glXGetProcAddressARB(const unsigned char *name)
{
    return find_hooked(C3D_GLX_FIND_ARB, name);
}
