/*
 * A program that opens SDL 2 or 3 itself, as launchers and language bindings do:
 *     sdl_program LIBRARY
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 160, HEIGHT = 96, BLOCK = 16, VIDEO = 0x20, OPENGL = 2, NO_CONTEXT = 77 };

static void (*scissor)(int, int, int, int);
static void (*clear_color)(float, float, float, float);
static void (*clear)(unsigned);

static void fill(int x, int y, int size, int red, int green, int blue)
{
    scissor(x, y, size, size);
    clear_color((float)(red & 255) / 255, (float)(green & 255) / 255, (float)(blue & 255) / 255,
                1);
    clear(0x4000);
}

static void draw(int picture)
{
    for (int row = 0; row * BLOCK < HEIGHT; row++) {
        for (int column = 0; column * BLOCK < WIDTH; column++) {
            fill(column * BLOCK, row * BLOCK, BLOCK, picture * 40 + column * 16,
                 row * 24 + picture * 8, column * row * 5 + picture * 13);
        }
    }
    fill(0, 0, 4, picture, 0xA5, 0x5A);
}

static void *sdl;

static void *find(const char *name)
{
    void *found = dlsym(sdl, name);
    if (found == NULL) {
        fprintf(stderr, "no %s\n", name);
        exit(NO_CONTEXT);
    }
    return found;
}

#define FIND(type, name) ((type)(__UINTPTR_TYPE__)find(name))

int main(int count, char **words)
{
    sdl = count == 2 ? dlopen(words[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (sdl == NULL) {
        fprintf(stderr, "%s\n", count == 2 ? dlerror() : "no library named");
        return NO_CONTEXT;
    }
    int new = dlsym(sdl, "SDL_GetWindowSizeInPixels") != NULL &&
              dlsym(sdl, "SDL_GL_GetDrawableSize") == NULL; /* SDL 3 */
    FIND(int (*)(unsigned), "SDL_Init")(VIDEO);
    void *window = new ? FIND(void *(*)(const char *, int, int, unsigned long),
                              "SDL_CreateWindow")("", WIDTH, HEIGHT, OPENGL)
                       : FIND(void *(*)(const char *, int, int, int, int, unsigned),
                              "SDL_CreateWindow")("", 0, 0, WIDTH, HEIGHT, OPENGL);
    if (window == NULL || FIND(void *(*)(void *), "SDL_GL_CreateContext")(window) == NULL) {
        fprintf(stderr, "%s\n", FIND(const char *(*)(void), "SDL_GetError")());
        return NO_CONTEXT;
    }
    void *(*gl)(const char *) = FIND(void *(*)(const char *), "SDL_GL_GetProcAddress");
    scissor = (void (*)(int, int, int, int))(__UINTPTR_TYPE__)gl("glScissor");
    clear_color = (void (*)(float, float, float, float))(__UINTPTR_TYPE__)gl("glClearColor");
    clear = (void (*)(unsigned))(__UINTPTR_TYPE__)gl("glClear");
    ((void (*)(unsigned))(__UINTPTR_TYPE__)gl("glEnable"))(0x0C11);
    for (int frame = 0; frame < 5; frame++) {
        draw(frame);
        FIND(void (*)(void *), "SDL_GL_SwapWindow")(window);
    }
    FIND(void (*)(void), "SDL_Quit")();
    return 0;
}
