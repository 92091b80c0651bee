/* What the CPU can do, found once. x86-64: cpuid and xgetbv; AArch64: hwcap or sysctl. */
#ifndef RG_BASE_CPU_FEATURES_H
#define RG_BASE_CPU_FEATURES_H

#include "rango.h"

typedef struct rg_cpu {
  bool avx2, fma, f16c;                       /* x86-64 */
  bool avx512f, avx512bw, avx512dq, avx512vl; /* usable: the system saves their registers */
  bool neon, fp16, dotprod;                   /* AArch64 */
  size_t l1_bytes, l2_bytes, l3_bytes;        /* data caches; 0: unknown */
} rg_cpu;

const rg_cpu *rg_cpu_features(void);

#endif
