/* Threads: a pool behind one call. */
#ifndef RG_BASE_THREADS_H
#define RG_BASE_THREADS_H

#include "rango.h"

/* Calls task(argument, i) for i = 0 … count-1, on up to rango_threads_count threads, the caller's among them, and
 * returns when all are done. pool == NULL or count == 1 runs in the caller's thread alone. A task that needs scratch of
 * its own takes as many tasks as threads and finds it by i. Allocates nothing. Results must not depend on which thread
 * runs what. */
void rg_threads_run(rango_threads *pool, void (*task)(void *argument, size_t i), void *argument, size_t count);

/* The part [*begin, *end) of 0 … total-1 that task i of `parts` takes, in multiples of `grain` but for the last. */
void rg_threads_split(size_t total, size_t grain, size_t parts, size_t i, size_t *begin, size_t *end);

#endif
