/* Which frames are taken: each n-th, or so many a second, after a warm-up. */
#include "preload.h"

/* Effects that look at the frame before (motion blur, temporal filters) need it drawn too. */
enum { DRAWN_BEFORE = 1 };

void c3d_pacing_start(c3d_pacing *pacing, const c3d_orders *orders)
{
    *pacing = (c3d_pacing){.orders = *orders};
}

static bool warmed_up(const c3d_pacing *pacing, uint64_t now)
{
    return pacing->swaps > pacing->orders.warm_frames &&
           now - pacing->first_time >= pacing->orders.warm_time;
}

void c3d_pacing_swap(c3d_pacing *pacing, uint64_t now)
{
    if (pacing->swaps++ == 0) {
        pacing->first_time = now;
    }
    if (!pacing->warm) {
        if (!warmed_up(pacing, now)) {
            return;
        }
        pacing->warm = true;
        pacing->next_swap = pacing->swaps;
        pacing->next_time = now;
    }
    bool by_count = pacing->orders.every != 0;
    if (by_count ? pacing->swaps < pacing->next_swap : now < pacing->next_time) {
        return;
    }
    pacing->due = true;
    pacing->next_swap = pacing->swaps + pacing->orders.every;
    /* A program that was late does not catch up: frames keep their distance. */
    uint64_t next = pacing->next_time + pacing->orders.interval;
    pacing->next_time = next > now ? next : now + pacing->orders.interval;
}

void c3d_pacing_taken(c3d_pacing *pacing)
{
    pacing->due = false;
}

bool c3d_pacing_draws(const c3d_pacing *pacing)
{
    return !pacing->orders.skip_drawing || pacing->orders.every == 0 || !pacing->warm ||
           pacing->due || pacing->swaps + 1 + DRAWN_BEFORE >= pacing->next_swap;
}
