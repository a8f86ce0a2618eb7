/* Kills the process at its k-th change of a file: preloaded, so that it stands between the program
 * with all its libraries and the system. Counted are creating, writing, flushing, truncating,
 * renaming, linking and removing; of regular files and folders only, not of pipes and terminals.
 *
 *     crash_arm(counter, k)   from now on, in this process; k = 0 counts only
 *
 * The k-th call does not happen. A write happens by half: a torn file is what death leaves.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile long *calls;
static long last;

void crash_arm(long *counter, long k) {
    calls = counter;
    last = k;
}

static int is_last(void) { return calls && __atomic_add_fetch(calls, 1, __ATOMIC_SEQ_CST) == last; }

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void count(void) {
    if (is_last())
        die();
}

static int is_file(int fd) {
    struct stat s;
    return calls && fd > 2 && fstat(fd, &s) == 0 && (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode));
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define PATHS(name, params, args)                                                                  \
    int name params {                                                                              \
        count();                                                                                   \
        return NEXT(name) args;                                                                    \
    }

PATHS(rename, (const char *a, const char *b), (a, b))
PATHS(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
PATHS(renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f))
PATHS(link, (const char *a, const char *b), (a, b))
PATHS(linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f))
PATHS(symlink, (const char *a, const char *b), (a, b))
PATHS(unlink, (const char *a), (a))
PATHS(unlinkat, (int d, const char *a, int f), (d, a, f))
PATHS(mkdir, (const char *a, mode_t m), (a, m))
PATHS(mkdirat, (int d, const char *a, mode_t m), (d, a, m))
PATHS(rmdir, (const char *a), (a))

#define FILES(name, type, params, args)                                                            \
    type name params {                                                                             \
        if (is_file(fd))                                                                           \
            count();                                                                               \
        return NEXT(name) args;                                                                    \
    }

FILES(fsync, int, (int fd), (fd))
FILES(fdatasync, int, (int fd), (fd))
FILES(ftruncate, int, (int fd, off_t n), (fd, n))
FILES(ftruncate64, int, (int fd, off64_t n), (fd, n))
FILES(pwrite64, ssize_t, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o))
FILES(writev, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n))
FILES(sendfile64, ssize_t, (int fd, int from, off64_t *o, size_t n), (fd, from, o, n))

ssize_t copy_file_range(int from, off64_t *a, int fd, off64_t *b, size_t n, unsigned f) {
    if (is_file(fd))
        count();
    return NEXT(copy_file_range)(from, a, fd, b, n, f);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (is_file(fd) && is_last()) {
        NEXT(write)(fd, data, size / 2);
        die();
    }
    return NEXT(write)(fd, data, size);
}

/* The mode is there only where a file may be created. */
#define OPEN(name, params, args)                                                                   \
    int name params {                                                                              \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                     \
            va_list rest;                                                                          \
            va_start(rest, flags);                                                                 \
            mode = va_arg(rest, mode_t);                                                           \
            va_end(rest);                                                                          \
            count();                                                                               \
        }                                                                                          \
        return NEXT(name) args;                                                                    \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int d, const char *path, int flags, ...), (d, path, flags, mode))
OPEN(openat64, (int d, const char *path, int flags, ...), (d, path, flags, mode))
