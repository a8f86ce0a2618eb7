/* The current context: its functions of OpenGL, and what it is and has. */
#ifndef C3D_GL_H
#define C3D_GL_H

#include "preload.h"

/* How many of the numbers of a packed picture (pixels.c) a context has. */
enum { PACKINGS_ES2 = 1, PACKINGS_ES3 = 4, PACKINGS = 6 };

typedef struct {
    const unsigned char *(*get_string)(unsigned);
    const unsigned char *(*get_string_i)(unsigned, unsigned);
    void (*get_integer)(unsigned, int *);
    void (*get_float)(unsigned, float *);
    void (*get_boolean)(unsigned, unsigned char *);
    void (*pixel_store)(unsigned, int);
    void (*pixel_transfer_f)(unsigned, float);
    void (*pixel_transfer_i)(unsigned, int);
    void (*bind_buffer)(unsigned, unsigned);
    void (*bind_framebuffer)(unsigned, unsigned);
    void (*read_buffer)(unsigned);
    void (*read_pixels)(int, int, int, int, unsigned, unsigned, void *);
} c3d_gl;

/* What the context is and has. */
typedef struct {
    int version; /* 10 * major + minor */
    bool es;
    bool pixel_transfer;
    bool pack_buffer;
    unsigned framebuffer;         /* the target to bind, 0 where there are none */
    unsigned framebuffer_binding; /* and its query */
    int packings;
} c3d_gl_context;

/* False where one is missing that all contexts have. */
bool c3d_gl_find(const c3d_surface *surface, c3d_gl *gl);
/* False where no context is current. */
bool c3d_gl_look(const c3d_gl *gl, c3d_gl_context *here);

#endif
