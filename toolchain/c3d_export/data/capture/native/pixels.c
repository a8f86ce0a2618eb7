/*
 * Reading the back buffer. What glReadPixels looks at is asked for, set, and put back. Only what
 * a context of this version has is touched: anything else would leave an error that the program
 * takes for its own.
 */
#include <stdio.h>
#include <string.h>

#include "preload.h"

enum {
    GL_UNSIGNED_BYTE = 0x1401,
    GL_RGBA = 0x1908,
    GL_VERSION = 0x1F02,
    GL_EXTENSIONS = 0x1F03,
    GL_NUM_EXTENSIONS = 0x821D,
    GL_CONTEXT_FLAGS = 0x821E,
    GL_CONTEXT_PROFILE_MASK = 0x9126,
    FORWARD_COMPATIBLE = 1,
    COMPATIBILITY_PROFILE = 2,
    GL_FRONT = 0x0404,
    GL_BACK = 0x0405,
    GL_READ_BUFFER = 0x0C02,
    GL_DOUBLEBUFFER = 0x0C32,
    GL_FRAMEBUFFER = 0x8D40,
    GL_READ_FRAMEBUFFER = 0x8CA8,
    GL_FRAMEBUFFER_BINDING = 0x8CA6,
    GL_READ_FRAMEBUFFER_BINDING = 0x8CAA,
    GL_PIXEL_PACK_BUFFER = 0x88EB,
    GL_PIXEL_PACK_BUFFER_BINDING = 0x88ED,
    GL_RASTERIZER_DISCARD = 0x8C89,
    GL_MAP_COLOR = 0x0D10,
};

/* How numbers of a packed picture are laid out, and what we want. */
static const struct {
    unsigned name;
    int wanted;
} packing[] = {
    {0x0D05, 1}, /* GL_PACK_ALIGNMENT: all that OpenGL ES 2 has */
    {0x0D02, 0}, /* GL_PACK_ROW_LENGTH */
    {0x0D03, 0}, /* GL_PACK_SKIP_ROWS */
    {0x0D04, 0}, /* GL_PACK_SKIP_PIXELS */
    {0x0D00, 0}, /* GL_PACK_SWAP_BYTES: no OpenGL ES has it and the next */
    {0x0D01, 0}, /* GL_PACK_LSB_FIRST */
};
enum { PACKINGS_ES2 = 1, PACKINGS_ES3 = 4, PACKINGS = 6 };

/* Scales and biases of the old pixel transfer: red, green, blue, alpha. */
static const struct {
    unsigned name;
    float wanted;
} transfers[] = {
    {0x0D14, 1}, {0x0D15, 0}, {0x0D18, 1}, {0x0D19, 0},
    {0x0D1A, 1}, {0x0D1B, 0}, {0x0D1C, 1}, {0x0D1D, 0},
};
enum { TRANSFERS = 8 };

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
} functions;

/* What the context is and has. */
typedef struct {
    int version; /* 10 * major + minor */
    bool es;
    bool pixel_transfer;
    bool pack_buffer;
    unsigned framebuffer;         /* the target to bind, 0 where there are none */
    unsigned framebuffer_binding; /* and its query */
    int packings;
} context;

typedef struct {
    int packing[PACKINGS];
    float transfer[TRANSFERS];
    unsigned char map_color;
    int pack_buffer;
    int framebuffer;
    int read_buffer;
} saved_state;

#define FIND(member, name) (gl->member = (__typeof__(gl->member))surface->find(name))

static bool find_functions(const c3d_surface *surface, functions *gl)
{
    FIND(get_string_i, "glGetStringi");
    FIND(get_float, "glGetFloatv");
    FIND(get_boolean, "glGetBooleanv");
    FIND(pixel_transfer_f, "glPixelTransferf");
    FIND(pixel_transfer_i, "glPixelTransferi");
    FIND(bind_buffer, "glBindBuffer");
    FIND(read_buffer, "glReadBuffer");
    if (FIND(bind_framebuffer, "glBindFramebuffer") == NULL) {
        FIND(bind_framebuffer, "glBindFramebufferEXT");
    }
    return FIND(get_string, "glGetString") != NULL && FIND(get_integer, "glGetIntegerv") != NULL &&
           FIND(pixel_store, "glPixelStorei") != NULL && FIND(read_pixels, "glReadPixels") != NULL;
}

static void read_version(context *here, const char *text)
{
    int major = 0, minor = 0;
    here->es = strncmp(text, "OpenGL ES", 9) == 0;
    text += strcspn(text, "0123456789");
    if (sscanf(text, "%d.%d", &major, &minor) == 2) {
        here->version = 10 * major + minor;
    }
}

static bool has_extension(const functions *gl, const context *here, const char *name)
{
    if (here->version < 30 || gl->get_string_i == NULL) {
        const char *all = (const char *)gl->get_string(GL_EXTENSIONS);
        return all != NULL && strstr(all, name) != NULL;
    }
    int count = 0;
    gl->get_integer(GL_NUM_EXTENSIONS, &count);
    for (int i = 0; i < count; i++) {
        const char *one = (const char *)gl->get_string_i(GL_EXTENSIONS, (unsigned)i);
        if (one != NULL && strcmp(one, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the context still has what OpenGL 3.1 took away. */
static bool has_old_functions(const functions *gl, const context *here)
{
    int flags = 0;
    if (here->es || here->version < 30) {
        return !here->es;
    }
    if (here->version >= 32) {
        gl->get_integer(GL_CONTEXT_PROFILE_MASK, &flags);
        return (flags & COMPATIBILITY_PROFILE) != 0;
    }
    if (here->version == 31) {
        return has_extension(gl, here, "GL_ARB_compatibility");
    }
    gl->get_integer(GL_CONTEXT_FLAGS, &flags);
    return (flags & FORWARD_COMPATIBLE) == 0;
}

/* Reading and drawing have framebuffers of their own from OpenGL (ES) 3 on. */
static void look_at_framebuffers(const functions *gl, context *here)
{
    bool two = here->version >= 30 ||
               (!here->es && has_extension(gl, here, "GL_ARB_framebuffer_object"));
    bool one = two || (here->es ? here->version >= 20
                                : has_extension(gl, here, "GL_EXT_framebuffer_object"));
    if (gl->bind_framebuffer != NULL && one) {
        here->framebuffer = two ? GL_READ_FRAMEBUFFER : GL_FRAMEBUFFER;
        here->framebuffer_binding = two ? GL_READ_FRAMEBUFFER_BINDING : GL_FRAMEBUFFER_BINDING;
    }
}

static bool look_at_context(const functions *gl, context *here)
{
    const char *text = (const char *)gl->get_string(GL_VERSION);
    *here = (context){0};
    if (text == NULL) { /* no context is current */
        return false;
    }
    read_version(here, text);
    here->packings = !here->es ? PACKINGS : here->version >= 30 ? PACKINGS_ES3 : PACKINGS_ES2;
    here->pack_buffer = gl->bind_buffer != NULL && here->version >= (here->es ? 30 : 21);
    here->pixel_transfer = has_old_functions(gl, here) && gl->get_float != NULL &&
                           gl->get_boolean != NULL && gl->pixel_transfer_f != NULL &&
                           gl->pixel_transfer_i != NULL;
    look_at_framebuffers(gl, here);
    return here->version >= 10;
}

static bool has_read_buffer(const functions *gl, const context *here)
{
    return gl->read_buffer != NULL && !(here->es && here->version < 30);
}

/* The default framebuffer first: the read buffer that is asked for belongs to what is bound. */
static void save(const functions *gl, const context *here, saved_state *old)
{
    if (here->framebuffer) {
        gl->get_integer(here->framebuffer_binding, &old->framebuffer);
        gl->bind_framebuffer(here->framebuffer, 0);
    }
    if (has_read_buffer(gl, here)) {
        gl->get_integer(GL_READ_BUFFER, &old->read_buffer);
    }
    if (here->pack_buffer) {
        gl->get_integer(GL_PIXEL_PACK_BUFFER_BINDING, &old->pack_buffer);
    }
    for (int i = 0; i < here->packings; i++) {
        gl->get_integer(packing[i].name, &old->packing[i]);
    }
    for (int i = 0; here->pixel_transfer && i < TRANSFERS; i++) {
        gl->get_float(transfers[i].name, &old->transfer[i]);
    }
    if (here->pixel_transfer) {
        gl->get_boolean(GL_MAP_COLOR, &old->map_color);
    }
}

static void set_ours(const functions *gl, const context *here)
{
    int two_buffers = 1;
    if (!here->es) {
        gl->get_integer(GL_DOUBLEBUFFER, &two_buffers);
    }
    if (has_read_buffer(gl, here)) {
        gl->read_buffer(two_buffers ? GL_BACK : GL_FRONT);
    }
    if (here->pack_buffer) {
        gl->bind_buffer(GL_PIXEL_PACK_BUFFER, 0);
    }
    for (int i = 0; i < here->packings; i++) {
        gl->pixel_store(packing[i].name, packing[i].wanted);
    }
    for (int i = 0; here->pixel_transfer && i < TRANSFERS; i++) {
        gl->pixel_transfer_f(transfers[i].name, transfers[i].wanted);
    }
    if (here->pixel_transfer) {
        gl->pixel_transfer_i(GL_MAP_COLOR, 0);
    }
}

static void restore(const functions *gl, const context *here, const saved_state *old)
{
    if (here->pixel_transfer) {
        gl->pixel_transfer_i(GL_MAP_COLOR, old->map_color);
    }
    for (int i = 0; here->pixel_transfer && i < TRANSFERS; i++) {
        gl->pixel_transfer_f(transfers[i].name, old->transfer[i]);
    }
    for (int i = 0; i < here->packings; i++) {
        gl->pixel_store(packing[i].name, old->packing[i]);
    }
    if (here->pack_buffer) {
        gl->bind_buffer(GL_PIXEL_PACK_BUFFER, (unsigned)old->pack_buffer);
    }
    if (has_read_buffer(gl, here)) {
        gl->read_buffer((unsigned)old->read_buffer);
    }
    if (here->framebuffer) {
        gl->bind_framebuffer(here->framebuffer, (unsigned)old->framebuffer);
    }
}

bool c3d_read_pixels(const c3d_surface *surface, uint32_t width, uint32_t height, uint8_t *out)
{
    functions gl;
    context here;
    saved_state old;
    if (!find_functions(surface, &gl) || !look_at_context(&gl, &here)) {
        return false;
    }
    save(&gl, &here, &old);
    set_ours(&gl, &here);
    gl.read_pixels(0, 0, (int)width, (int)height, GL_RGBA, GL_UNSIGNED_BYTE, out);
    restore(&gl, &here, &old);
    return true;
}

bool c3d_drop_drawing(const c3d_surface *surface, bool drop, bool ours)
{
    functions gl;
    context here;
    void (*enable)(unsigned) = (void (*)(unsigned))surface->find("glEnable");
    void (*disable)(unsigned) = (void (*)(unsigned))surface->find("glDisable");
    unsigned char (*is_enabled)(unsigned) =
        (unsigned char (*)(unsigned))surface->find("glIsEnabled");
    if (!find_functions(surface, &gl) || !look_at_context(&gl, &here) || here.version < 30 ||
        enable == NULL || disable == NULL || is_enabled == NULL ||
        (!ours && is_enabled(GL_RASTERIZER_DISCARD))) {
        return false;
    }
    (drop ? enable : disable)(GL_RASTERIZER_DISCARD);
    return drop;
}
