/*
 * The library that `data capture` puts into a program by LD_PRELOAD.
 *
 * It stands in front of the calls that show a finished frame (glXSwapBuffers, eglSwapBuffers),
 * reads some of the frames back and sends them to the process that captures. Whatever fails, the
 * program goes on as if we were not there: no exit, no signal, no wait without an end.
 *
 *     lookup.c     finds the real functions, whichever way the program finds them
 *     glx.c egl.c  the calls that we stand in front of, and the size of what is drawn on
 *     swap.c       what happens at a swap: one frame at a time
 *     pacing.c     which frames are taken
 *     gl.c         what the current context of OpenGL is and has
 *     pixels.c     reads a frame, and leaves the state of OpenGL as it was
 *     channel.c    the connection to the process that captures
 *
 * No headers of X11 or OpenGL are needed: their few types and numbers are written out here.
 */
#ifndef C3D_PRELOAD_H
#define C3D_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Visible to programs; all else is hidden. */
#define C3D_HOOK __attribute__((visibility("default")))

typedef void (*c3d_function)(void);

/* The functions that we stand in front of. */
enum c3d_hook {
    C3D_GLX_SWAP,
    C3D_GLX_FIND,
    C3D_GLX_FIND_ARB,
    C3D_EGL_SWAP,
    C3D_EGL_SWAP_DAMAGE_KHR,
    C3D_EGL_SWAP_DAMAGE_EXT,
    C3D_EGL_FIND,
    C3D_HOOKS
};

/* The real function of a hook, or NULL where no library with it is loaded. */
c3d_function c3d_real(enum c3d_hook hook);

/* The hook for this name, and `real` is kept; `real` itself where there is none or it is NULL. */
c3d_function c3d_hooked(const char *name, c3d_function real);

/* A function that is loaded: in the scope of the program, or else in the library named. */
c3d_function c3d_find(const char *name, const char *library);

/* What a frame is drawn on: a window of GLX or EGL. */
typedef struct c3d_surface c3d_surface;
struct c3d_surface {
    void *display;
    uintptr_t drawable;
    /* Whether OpenGL reads from it in this thread. */
    bool (*is_current)(const c3d_surface *);
    /* Its size in pixels as the window system has it; false where it cannot be told. */
    bool (*size)(const c3d_surface *, uint32_t *width, uint32_t *height);
    /* The current context of this thread. */
    void *(*context)(void);
    /* A function of OpenGL. */
    c3d_function (*find)(const char *name);
};

void c3d_before_swap(const c3d_surface *surface);
void c3d_after_swap(const c3d_surface *surface);

/* Which frames are taken; the process that captures says it when we connect. Little-endian. */
typedef struct {
    uint32_t every;         /* each n-th frame; 0 where `interval` decides */
    uint32_t warm_frames;   /* frames that are left alone first */
    uint64_t interval;      /* nanoseconds between two frames */
    uint64_t warm_time;     /* nanoseconds since the first frame that are left alone */
    uint32_t skip_drawing;  /* whether frames between two that are taken need not be drawn */
    uint32_t unused;
} c3d_orders;

typedef struct {
    c3d_orders orders;
    uint64_t swaps;       /* frames that the program has finished */
    uint64_t first_time;  /* of the first frame */
    uint64_t next_time;   /* when a frame is due, with `interval` */
    uint64_t next_swap;   /* which frame is due, with `every` */
    bool warm;
    bool due;
} c3d_pacing;

void c3d_pacing_start(c3d_pacing *pacing, const c3d_orders *orders);
/* Counts a finished frame; afterwards `due` says whether one is to be taken. */
void c3d_pacing_swap(c3d_pacing *pacing, uint64_t now);
/* The frame was taken. */
void c3d_pacing_taken(c3d_pacing *pacing);
/* Whether the frame that comes must be drawn. */
bool c3d_pacing_draws(const c3d_pacing *pacing);

/*
 * Reads the back buffer: width * height * 4 bytes, RGBA, the lowest row first. Changes no state
 * of OpenGL and leaves no error behind. False where a function is missing.
 */
bool c3d_read_pixels(const c3d_surface *surface, uint32_t width, uint32_t height, uint8_t *out);

/*
 * Has OpenGL drop everything that is drawn, or draw again. `ours`: it drops already, by us; where
 * it does by the program, it is left alone. True where it drops now, by us.
 */
bool c3d_drop_drawing(const c3d_surface *surface, bool drop, bool ours);

/* Connects where this process has not tried yet; false where there is nobody to send to. */
bool c3d_channel_open(c3d_orders *orders);
bool c3d_channel_is_new(void);
/* In a child that was forked off: the connection is its parent's. */
void c3d_channel_leave(void);
/* Sends a frame, or with pixels == NULL only how far the program is; false where it is cut off. */
bool c3d_channel_send(uint64_t swaps, uint64_t now, uint32_t width, uint32_t height,
                      const uint8_t *pixels);

uint64_t c3d_now(void);

#endif
