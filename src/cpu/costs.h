/* What a rg_costs holds. */
#ifndef RG_CPU_COSTS_H
#define RG_CPU_COSTS_H

#include "cpu/cpu.h"
#include "kernels/table.h"

#define RG_COSTS_ISA 16

struct rg_costs {
  char isa[RG_COSTS_ISA];
  double mr, nr;      /* the register tile that the rates are of */
  double narrow;      /* columns that gemm_narrow takes; 0: there is none */
  double cache_bytes; /* weights of a layer up to this come from cache */
  double l2_bytes;    /* the second-level cache */
  rg_kernel_costs rates;
};

/* The costs of a kernel table; rates as on its page. */
void rg_costs_init(rg_costs *costs, const rg_kernels *kernels);
/* The tile's side m by which Winograd's method is to run a convolution, or 0: the direct product is as fast. */
size_t rg_costs_winograd(const rg_costs *costs, const rg_cost_query *query);

#endif
