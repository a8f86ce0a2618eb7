/*
 * A program that draws known colours, for the tests of `data capture`. It does not know that it is
 * watched, and checks that nobody changes what it has set in OpenGL.
 *
 *     gl_program KIND [frames N] [still N] [resize N] [delay MS] [exit N] [fork 1] [steal N]
 *
 * KIND: glx, glx-core, glx-window, egl-es2, egl-es3, egl-gl (the last three off the screen).
 * `still N` draws each picture N times, `resize N` makes the window larger after N frames, `fork`
 * draws in a child, `steal FRAME` opens a file, `stolen`, in place of descriptor 200 at that frame.
 * Exit code 99: the state of OpenGL has changed.
 */
#define _DEFAULT_SOURCE
#define EGL_NO_X11
#define GL_GLEXT_PROTOTYPES
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GL/gl.h>
#include <GL/glext.h>
#include <GL/glx.h>
#include <X11/Xlib.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 16, STATE_CHANGED = 99, NO_CONTEXT = 77 };

static int width = 160, height = 96;
static const char *kind;
static Display *display;
static Window window;
static GLXDrawable drawable;
static EGLDisplay egl_display;
static EGLSurface egl_surface;

static void fail(const char *what, int code)
{
    fprintf(stderr, "%s: no %s\n", kind, what);
    exit(code);
}

static bool is(const char *name)
{
    return strncmp(kind, name, strlen(name)) == 0;
}

static void open_glx(void)
{
    static int wanted[] = {GLX_DOUBLEBUFFER, 1, GLX_RED_SIZE, 8, GLX_GREEN_SIZE, 8,
                           GLX_BLUE_SIZE, 8, None};
    static const int core[] = {GLX_CONTEXT_MAJOR_VERSION_ARB, 3, GLX_CONTEXT_MINOR_VERSION_ARB,
                               3, GLX_CONTEXT_PROFILE_MASK_ARB,
                               GLX_CONTEXT_CORE_PROFILE_BIT_ARB, None};
    int count = 0;
    display = XOpenDisplay(NULL);
    if (display == NULL) {
        fail("display", NO_CONTEXT);
    }
    GLXFBConfig *configs = glXChooseFBConfig(display, DefaultScreen(display), wanted, &count);
    if (count == 0) {
        fail("visual", NO_CONTEXT);
    }
    XVisualInfo *visual = glXGetVisualFromFBConfig(display, configs[0]);
    Window root = DefaultRootWindow(display);
    XSetWindowAttributes attributes = {
        .colormap = XCreateColormap(display, root, visual->visual, AllocNone)};
    window = XCreateWindow(display, root, 0, 0, (unsigned)width, (unsigned)height, 0,
                           visual->depth, InputOutput, visual->visual, CWColormap, &attributes);
    XMapWindow(display, window);
    XSync(display, False);
    GLXContext context;
    if (is("glx-core")) {
        PFNGLXCREATECONTEXTATTRIBSARBPROC create =
            (PFNGLXCREATECONTEXTATTRIBSARBPROC)glXGetProcAddressARB(
                (const GLubyte *)"glXCreateContextAttribsARB");
        context = create(display, configs[0], NULL, True, core);
    } else {
        context = glXCreateNewContext(display, configs[0], GLX_RGBA_TYPE, NULL, True);
    }
    drawable = is("glx-window") ? glXCreateWindow(display, configs[0], window, NULL) : window;
    if (context == NULL || !glXMakeCurrent(display, drawable, context)) {
        fail("context", NO_CONTEXT);
    }
}

static void open_egl(void)
{
    const bool es = is("egl-es");
    const EGLint wanted[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RED_SIZE, 8, EGL_GREEN_SIZE,
                             8, EGL_BLUE_SIZE, 8, EGL_RENDERABLE_TYPE,
                             es ? EGL_OPENGL_ES2_BIT : EGL_OPENGL_BIT, EGL_NONE};
    const EGLint size[] = {EGL_WIDTH, width, EGL_HEIGHT, height, EGL_NONE};
    const EGLint version[] = {EGL_CONTEXT_CLIENT_VERSION, is("egl-es3") ? 3 : 2, EGL_NONE};
    EGLConfig config;
    EGLint count = 0;
    PFNEGLGETPLATFORMDISPLAYEXTPROC get =
        (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
    egl_display = get == NULL ? EGL_NO_DISPLAY : get(EGL_PLATFORM_SURFACELESS_MESA, NULL, NULL);
    if (!eglInitialize(egl_display, NULL, NULL) ||
        !eglBindAPI(es ? EGL_OPENGL_ES_API : EGL_OPENGL_API) ||
        !eglChooseConfig(egl_display, wanted, &config, 1, &count) || count == 0) {
        fail("EGL without a display", NO_CONTEXT);
    }
    egl_surface = eglCreatePbufferSurface(egl_display, config, size);
    EGLContext context = eglCreateContext(egl_display, config, NULL, es ? version : NULL);
    if (!eglMakeCurrent(egl_display, egl_surface, egl_surface, context)) {
        fail("context", NO_CONTEXT);
    }
}

static void fill(int x, int y, int w, int h, int red, int green, int blue)
{
    glScissor(x, y, w, h);
    glClearColor((float)(red & 255) / 255, (float)(green & 255) / 255, (float)(blue & 255) / 255,
                 .5f);
    glClear(GL_COLOR_BUFFER_BIT);
}

/* tests/data/capture/pictures.py computes the same. */
static void draw(int picture)
{
    glViewport(3, 5, width / 2, height / 2); /* says nothing about the size of the window */
    glEnable(GL_SCISSOR_TEST);
    for (int row = 0; row * BLOCK < height; row++) {
        for (int column = 0; column * BLOCK < width; column++) {
            fill(column * BLOCK, row * BLOCK, BLOCK, BLOCK, picture * 40 + column * 16,
                 row * 24 + picture * 8, column * row * 5 + picture * 13);
        }
    }
    fill(0, 0, 4, 4, picture, 0xA5, 0x5A);
    glDisable(GL_SCISSOR_TEST);
}

/* What a capture has to set for itself, with values of our own. */
static const struct {
    GLenum name;
    GLint value;
} packing[] = {
    {GL_PACK_ALIGNMENT, 8},   {GL_PACK_ROW_LENGTH, 77}, {GL_PACK_SKIP_ROWS, 3},
    {GL_PACK_SKIP_PIXELS, 5}, {GL_PACK_SWAP_BYTES, 1},  {GL_PACK_LSB_FIRST, 1},
};
static GLuint buffer, framebuffer;

static int packings(void)
{
    return is("egl-es2") ? 1 : is("egl-es3") ? 4 : 6;
}

static bool is_old(void)
{
    return is("glx") && !is("glx-core");
}

static void set_state(void)
{
    for (int i = 0; i < packings(); i++) {
        glPixelStorei(packing[i].name, packing[i].value);
    }
    if (!is("egl-es2")) {
        if (buffer == 0) {
            glGenBuffers(1, &buffer);
            glGenFramebuffers(1, &framebuffer);
        }
        glBindFramebuffer(GL_READ_FRAMEBUFFER, 0);
        glReadBuffer(is("glx") ? GL_FRONT : GL_BACK);
        glBindBuffer(GL_PIXEL_PACK_BUFFER, buffer);
        glBindFramebuffer(GL_READ_FRAMEBUFFER, framebuffer);
    }
    if (is_old()) {
        static const GLfloat zero[] = {0};
        glPixelMapfv(GL_PIXEL_MAP_R_TO_R, 1, zero);
        glPixelTransferf(GL_RED_SCALE, .5f);
        glPixelTransferf(GL_BLUE_BIAS, .25f);
        glPixelTransferi(GL_MAP_COLOR, 1);
    }
    glEnable(0xFFFF); /* an error that is ours to find */
}

static void check(GLenum name, GLint wanted)
{
    GLint found = -1;
    glGetIntegerv(name, &found);
    if (found != wanted) {
        fprintf(stderr, "%s: state %#x is %d, was %d\n", kind, name, found, wanted);
        exit(STATE_CHANGED);
    }
}

static void check_state(void)
{
    if (glGetError() != GL_INVALID_ENUM || glGetError() != GL_NO_ERROR) {
        fail("error of our own, or another one too", STATE_CHANGED);
    }
    for (int i = 0; i < packings(); i++) {
        check(packing[i].name, packing[i].value);
    }
    if (!is("egl-es2")) {
        check(GL_PIXEL_PACK_BUFFER_BINDING, (GLint)buffer);
        check(GL_READ_FRAMEBUFFER_BINDING, (GLint)framebuffer);
        glBindFramebuffer(GL_READ_FRAMEBUFFER, 0);
        check(GL_READ_BUFFER, is("glx") ? GL_FRONT : GL_BACK);
    }
    if (is_old()) {
        GLfloat scale = 0, bias = 0;
        check(GL_MAP_COLOR, 1);
        glGetFloatv(GL_RED_SCALE, &scale);
        glGetFloatv(GL_BLUE_BIAS, &bias);
        if (scale != .5f || bias != .25f) {
            fail("scales of our own", STATE_CHANGED);
        }
    }
}

static void swap(void)
{
    if (is("egl")) {
        eglSwapBuffers(egl_display, egl_surface);
    } else {
        glXSwapBuffers(display, drawable);
    }
}

static void grow(void)
{
    width += 48;
    height += 23;
    XResizeWindow(display, window, (unsigned)width, (unsigned)height);
    XSync(display, False);
}

static int option(int count, char **words, const char *name, int otherwise)
{
    for (int i = 2; i < count; i++) {
        if (strcmp(words[i], name) == 0) {
            return i + 1 < count ? atoi(words[i + 1]) : 1;
        }
    }
    return otherwise;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static long timed_swap(long longest)
{
    long before = now_ms();
    swap();
    long took = now_ms() - before;
    return took > longest ? took : longest;
}

int main(int count, char **words)
{
    kind = words[1];
    int frames = option(count, words, "frames", 5), still = option(count, words, "still", 1);
    int resize = option(count, words, "resize", -1), delay = option(count, words, "delay", 0);
    int steal = option(count, words, "steal", -1);
    if (option(count, words, "fork", -1) >= 0 && fork() != 0) {
        int status = 0;
        wait(&status);
        return WEXITSTATUS(status);
    }
    (is("egl") ? open_egl : open_glx)();
    int dropped = 0;
    long longest = 0;
    for (int frame = 0; frame < frames; frame++) {
        dropped += !is("egl-es2") && glIsEnabled(GL_RASTERIZER_DISCARD);
        if (frame == resize) {
            grow();
        }
        if (frame == steal) { /* daemons close all that is open, and open files of their own */
            dup2(open("stolen", O_CREAT | O_RDWR, 0600), 200);
        }
        draw(frame / still);
        set_state();
        longest = timed_swap(longest);
        check_state();
        usleep((useconds_t)delay * 1000);
    }
    printf("longest swap: %ld ms\n", longest);
    printf("%d frames dropped\n", dropped);
    return option(count, words, "exit", 0);
}
