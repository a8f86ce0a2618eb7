/*
 * What the current context is. Only what its version has is asked for: anything else would leave
 * an error that the program takes for its own.
 */
#include <stdio.h>
#include <string.h>

#include "gl.h"

enum {
    GL_VERSION = 0x1F02,
    GL_EXTENSIONS = 0x1F03,
    GL_NUM_EXTENSIONS = 0x821D,
    GL_CONTEXT_FLAGS = 0x821E,
    GL_CONTEXT_PROFILE_MASK = 0x9126,
    FORWARD_COMPATIBLE = 1,
    COMPATIBILITY_PROFILE = 2,
    GL_FRAMEBUFFER = 0x8D40,
    GL_READ_FRAMEBUFFER = 0x8CA8,
    GL_FRAMEBUFFER_BINDING = 0x8CA6,
    GL_READ_FRAMEBUFFER_BINDING = 0x8CAA,
};

#define FIND(member, name) (gl->member = (__typeof__(gl->member))surface->find(name))

bool c3d_gl_find(const c3d_surface *surface, c3d_gl *gl)
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

static void read_version(c3d_gl_context *here, const char *text)
{
    int major = 0, minor = 0;
    here->es = strncmp(text, "OpenGL ES", 9) == 0;
    text += strcspn(text, "0123456789");
    if (sscanf(text, "%d.%d", &major, &minor) == 2) {
        here->version = 10 * major + minor;
    }
}

static bool has_extension(const c3d_gl *gl, const c3d_gl_context *here, const char *name)
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
static bool has_old_functions(const c3d_gl *gl, const c3d_gl_context *here)
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
static void look_at_framebuffers(const c3d_gl *gl, c3d_gl_context *here)
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

bool c3d_gl_look(const c3d_gl *gl, c3d_gl_context *here)
{
    const char *text = (const char *)gl->get_string(GL_VERSION);
    *here = (c3d_gl_context){0};
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
