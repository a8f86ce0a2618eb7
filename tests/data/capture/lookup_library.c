/* Two libraries with one symbol: the first asks for the one behind it. */
#define _GNU_SOURCE
#include <dlfcn.h>

#ifdef FIRST
int looked_up(void)
{
    int (*next)(void) = (int (*)(void))(__UINTPTR_TYPE__)dlsym(RTLD_NEXT, "looked_up");
    return next == 0 || next == looked_up ? -1 : next();
}
#else
int looked_up(void)
{
    return 42;
}
#endif
