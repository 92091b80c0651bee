/* What the operating system says about cores and caches. */
#ifndef RG_BASE_CPU_CORES_H
#define RG_BASE_CPU_CORES_H

#include <stddef.h>

/* Cores this process may use: its affinity mask, bounded by the cgroup's CPU quota rounded up. At least 1. */
int rg_cpu_cores(void);
/* Data (or unified) caches of the first core; 0: unknown. */
void rg_cpu_caches(size_t *l1, size_t *l2, size_t *l3);

#endif
