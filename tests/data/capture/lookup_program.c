/* Asks for symbols as programs do that know nothing of a library before theirs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

int looked_up(void);

int main(void)
{
    if (looked_up() != 42) {
        return 1;
    }
    /* OpenGL is not loaded, whatever a library in front of it offers. */
    if (dlsym(RTLD_DEFAULT, "glXSwapBuffers") != NULL) {
        return 2;
    }
    if (dlsym(dlopen(NULL, RTLD_NOW), "eglSwapBuffers") != NULL) {
        return 3;
    }
    if (dlsym(RTLD_DEFAULT, "no_such_symbol") != NULL) {
        return 4;
    }
    return dlsym(RTLD_DEFAULT, "dlsym") == NULL ? 5 : 0;
}
