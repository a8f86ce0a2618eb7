#include "hooks.h"

#include <pthread.h>
#include <stdlib.h>

static int left, failed;

void hooks_fail_at(int number)
{
    left = number;
    failed = 0;
}

int hooks_failed(void) { return failed; }

/* Only the caller's thread allocates. */
static int fails(void)
{
    failed |= left == 1;
    return left > 0 && left-- == 1;
}

void *checks_malloc(size_t size);
void *checks_calloc(size_t count, size_t size);
void *checks_aligned_alloc(size_t alignment, size_t size);
int checks_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*work)(void *), void *argument);

void *checks_malloc(size_t size) { return fails() ? NULL : malloc(size); }

void *checks_calloc(size_t count, size_t size) { return fails() ? NULL : calloc(count, size); }

void *checks_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : aligned_alloc(alignment, size);
}

int checks_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*work)(void *), void *argument)
{
    return fails() ? 11 : pthread_create(thread, attributes, work, argument);
}
