/* Loops over threads: what all of the CPU backend's operators but matrix products divide their work with. */
#ifndef RG_CPU_PARALLEL_H
#define RG_CPU_PARALLEL_H

#include "base/threads.h"

/* Calls body(argument, begin, end) for parts of 0 … total-1 that begin at multiples of `grain`. `work`: elements read
 * and written by the whole loop, times what one costs beside an addition; little work is done by the caller alone. What
 * an element becomes must not depend on where parts begin. */
typedef void (*rg_cpu_body)(const void *argument, size_t begin, size_t end);
void rg_cpu_parallel(rango_threads *threads, size_t total, size_t grain, size_t work, rg_cpu_body body,
                     const void *argument);

#endif
