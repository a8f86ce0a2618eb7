#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct c3d_pool {
    pthread_mutex_t lock;
    pthread_cond_t begin, done;
    void (*work)(void *, size_t);
    void *context;
    size_t next, count, running; /* jobs: the next to take, all, those that are not finished */
    int closing;
    unsigned started; /* threads beside the caller's */
    pthread_t threads[C3D_MOST_THREADS - 1];
};

/* Takes jobs until there are none; called and left with the lock held. */
static void work_off(c3d_pool *p)
{
    while (p->next < p->count) {
        const size_t i = p->next++;
        pthread_mutex_unlock(&p->lock);
        p->work(p->context, i);
        pthread_mutex_lock(&p->lock);
        if (--p->running == 0)
            pthread_cond_signal(&p->done);
    }
}

static void *thread_main(void *argument)
{
    c3d_pool *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        work_off(p);
        if (!p->closing)
            pthread_cond_wait(&p->begin, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

c3d_status c3d_pool_open(unsigned threads, c3d_pool **pool, c3d_error *error)
{
    c3d_pool *p = *pool = calloc(1, sizeof *p);
    if (p == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for threads; free some");
    /* With default attributes neither call fails on any system that we build for. */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begin, NULL);
    pthread_cond_init(&p->done, NULL);
    for (; p->started + 1 < threads; p->started++) {
        if (pthread_create(&p->threads[p->started], NULL, thread_main, p) != 0) {
            c3d_pool_close(p);
            *pool = NULL;
            return c3d_fail(error, C3D_ERR_MEMORY, "a thread cannot be made; ask for fewer");
        }
    }
    return C3D_OK;
}

void c3d_pool_close(c3d_pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = 1;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->begin);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

unsigned c3d_pool_threads(const c3d_pool *pool) { return pool->started + 1; }

unsigned c3d_pool_choose(unsigned wanted)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned count = wanted > 0 ? wanted : cores > 0 ? (unsigned)cores : 1;
    return count < C3D_MOST_THREADS ? count : C3D_MOST_THREADS;
}

void c3d_pool_run(c3d_pool *p, void (*work)(void *context, size_t i), void *context,
                  size_t count)
{
    if (p->started == 0 || count < 2) {
        for (size_t i = 0; i < count; i++)
            work(context, i);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->work = work;
    p->context = context;
    p->next = 0;
    p->count = p->running = count;
    pthread_cond_broadcast(&p->begin);
    work_off(p);
    while (p->running > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
