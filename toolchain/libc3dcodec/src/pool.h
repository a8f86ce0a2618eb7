/* A few threads that share the jobs of one caller. */
#ifndef C3D_POOL_H
#define C3D_POOL_H

#include "fail.h"

/* More threads than this have nothing to do: a frame has eight slices at most. */
enum { C3D_MOST_THREADS = 8 };

typedef struct c3d_pool c3d_pool;

/* `threads` with the caller's own, 1 to 8; MEMORY where threads cannot be made. */
c3d_status c3d_pool_open(unsigned threads, c3d_pool **pool, c3d_error *error);

/* Null is allowed. */
void c3d_pool_close(c3d_pool *pool);

unsigned c3d_pool_threads(const c3d_pool *pool);

/* One for each core of the host, at most C3D_MOST_THREADS; `wanted` where that is not 0. */
unsigned c3d_pool_choose(unsigned wanted);

/* Calls work(context, i) for i in 0..count - 1, each once, and returns when all are done. */
void c3d_pool_run(c3d_pool *pool, void (*work)(void *context, size_t i), void *context,
                  size_t count);

#endif
