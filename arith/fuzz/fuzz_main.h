/* A main for the fuzz targets: replays the files that it is given, or lets AFL++ feed it. */
#ifndef C3D_ARITH_FUZZ_MAIN_H
#define C3D_ARITH_FUZZ_MAIN_H

static inline void fuzz_exactly(const uint8_t *data, size_t size)
{
    uint8_t *exact = fuzz_copy(data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static inline int fuzz_file(const char *path)
{
    static uint8_t buffer[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(buffer, 1, sizeof(buffer), file);
    int broken = ferror(file);
    fclose(file);
    fuzz_exactly(buffer, size);
    return broken != 0;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN
#include <unistd.h>

__AFL_FUZZ_INIT()

/* One process takes many inputs from shared memory. */
static inline void fuzz_persistently(void)
{
    const uint8_t *data = __AFL_FUZZ_TESTCASE_BUF;
    while (__AFL_LOOP(10000)) {
        fuzz_exactly(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
    }
}
#endif

int main(int argc, char **argv)
{
    int failures = 0;
#ifdef __AFL_FUZZ_TESTCASE_LEN
    if (argc < 2) {
        fuzz_persistently();
        return 0;
    }
#endif
    for (int i = 1; i < argc; i++) {
        failures += fuzz_file(argv[i]);
    }
    printf("%d files\n", argc - 1 - failures);
    return failures != 0;
}

#endif
