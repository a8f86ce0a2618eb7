/* What happens at a swap. One thread at a time: a second one that swaps meanwhile is left alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "preload.h"

enum { TELL_AFTER = 500000000, MAX_SIDE = 16384, CHANNELS = 4 };

static atomic_flag busy = ATOMIC_FLAG_INIT;

static struct {
    bool at_work;
    c3d_pacing pacing;
    uint64_t told;          /* when something was sent last */
    uint32_t width, height; /* of the surface when it was asked last */
    uint8_t *pixels;
    size_t capacity;
    void *dropping_in; /* the context that drops what is drawn, or NULL */
} state;

uint64_t c3d_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static bool make_room(uint32_t width, uint32_t height)
{
    size_t bytes = (size_t)width * height * CHANNELS;
    if (bytes > state.capacity) {
        free(state.pixels);
        state.pixels = malloc(bytes);
        state.capacity = state.pixels == NULL ? 0 : bytes;
    }
    return state.pixels != NULL;
}

/*
 * A window that has changed its size gives whole frames only after the program has drawn once
 * more: a frame is taken where the size is still the one of the last time.
 */
static bool has_settled(const c3d_surface *surface)
{
    uint32_t width, height;
    if (!surface->size(surface, &width, &height) || width < 1 || height < 1 ||
        width > MAX_SIDE || height > MAX_SIDE) {
        return false;
    }
    bool same = width == state.width && height == state.height;
    state.width = width;
    state.height = height;
    return same;
}

static void take(const c3d_surface *surface, uint64_t now)
{
    if (!surface->is_current(surface) || !has_settled(surface) ||
        !make_room(state.width, state.height) ||
        !c3d_read_pixels(surface, state.width, state.height, state.pixels)) {
        return;
    }
    c3d_pacing_taken(&state.pacing);
    state.told = now;
    state.at_work = c3d_channel_send(state.pacing.swaps, now, state.width, state.height,
                                     state.pixels);
}

static void work(const c3d_surface *surface)
{
    uint64_t now = c3d_now();
    if (c3d_channel_is_new()) { /* also in a child that was forked off */
        c3d_orders orders;
        state.at_work = c3d_channel_open(&orders);
        state.width = state.height = 0;
        if (state.at_work) {
            c3d_pacing_start(&state.pacing, &orders);
        }
    }
    if (!state.at_work) {
        return;
    }
    c3d_pacing_swap(&state.pacing, now);
    if (state.pacing.due) {
        take(surface, now);
    } else if (state.width == 0) {
        has_settled(surface);
    }
    if (state.at_work && now - state.told >= TELL_AFTER) {
        state.told = now;
        state.at_work = c3d_channel_send(state.pacing.swaps, now, 0, 0, NULL);
    }
}

static void draw_or_drop(const c3d_surface *surface)
{
    bool drop = state.at_work && !c3d_pacing_draws(&state.pacing);
    if (!drop && state.dropping_in == NULL) {
        return;
    }
    void *context = surface->context();
    if (state.dropping_in != NULL && state.dropping_in != context) {
        return; /* a second context: it draws as it likes */
    }
    bool ours = state.dropping_in != NULL;
    state.dropping_in = c3d_drop_drawing(surface, drop, ours) ? context : NULL;
}

void c3d_before_swap(const c3d_surface *surface)
{
    int saved = errno;
    if (!atomic_flag_test_and_set(&busy)) {
        work(surface);
        atomic_flag_clear(&busy);
    }
    errno = saved;
}

void c3d_after_swap(const c3d_surface *surface)
{
    int saved = errno;
    if (!atomic_flag_test_and_set(&busy)) {
        draw_or_drop(surface);
        atomic_flag_clear(&busy);
    }
    errno = saved;
}

/* Another thread may have been in the middle of a frame when the process was forked. */
static void in_child(void)
{
    atomic_flag_clear(&busy);
    c3d_channel_leave();
}

__attribute__((constructor)) static void prepare(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
