/*
 * Reading the back buffer. What glReadPixels looks at is asked for, set, and put back. Only what
 * a context of this version has is touched: anything else would leave an error that the program
 * takes for its own.
 */
#include "gl.h"

enum {
    GL_UNSIGNED_BYTE = 0x1401,
    GL_RGBA = 0x1908,
    GL_FRONT = 0x0404,
    GL_BACK = 0x0405,
    GL_READ_BUFFER = 0x0C02,
    GL_DOUBLEBUFFER = 0x0C32,
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
    int packing[PACKINGS];
    float transfer[TRANSFERS];
    unsigned char map_color;
    int pack_buffer;
    int framebuffer;
    int read_buffer;
} saved_state;

static bool has_read_buffer(const c3d_gl *gl, const c3d_gl_context *here)
{
    return gl->read_buffer != NULL && !(here->es && here->version < 30);
}

/* The default framebuffer first: the read buffer that is asked for belongs to what is bound. */
static void save(const c3d_gl *gl, const c3d_gl_context *here, saved_state *old)
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

static void set_ours(const c3d_gl *gl, const c3d_gl_context *here)
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

static void restore(const c3d_gl *gl, const c3d_gl_context *here, const saved_state *old)
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
    c3d_gl gl;
    c3d_gl_context here;
    saved_state old;
    if (!c3d_gl_find(surface, &gl) || !c3d_gl_look(&gl, &here)) {
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
    c3d_gl gl;
    c3d_gl_context here;
    void (*enable)(unsigned) = (void (*)(unsigned))surface->find("glEnable");
    void (*disable)(unsigned) = (void (*)(unsigned))surface->find("glDisable");
    unsigned char (*is_enabled)(unsigned) =
        (unsigned char (*)(unsigned))surface->find("glIsEnabled");
    if (!c3d_gl_find(surface, &gl) || !c3d_gl_look(&gl, &here) || here.version < 30 ||
        enable == NULL || disable == NULL || is_enabled == NULL ||
        (!ours && is_enabled(GL_RASTERIZER_DISCARD))) {
        return false;
    }
    (drop ? enable : disable)(GL_RASTERIZER_DISCARD);
    return drop;
}
