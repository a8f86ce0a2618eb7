/*
 * Runs the `plugin_main` of a library that it opens for itself:
 *     plugin_loader LIBRARY ARGUMENTS...
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **words)
{
    void *plugin = count < 2 ? NULL : dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", count < 2 ? "no library named" : dlerror());
        return 1;
    }
    int (*run)(int, char **) =
        (int (*)(int, char **))(__UINTPTR_TYPE__)dlsym(plugin, "plugin_main");
    return run == NULL ? 1 : run(count - 1, words + 1);
}
