/* The CPU backend: for a node with known shapes, picks kernels, packs weights, and says how to run it. */
#ifndef RG_CPU_CPU_H
#define RG_CPU_CPU_H

#include "kernels/kernels.h"
#include "ops/op.h"

/* ---- packed weights: made once a (weight, kernel, parameters), counted by reference, shared by a model's sessions
 * ---- */
typedef struct rg_packed_cache rg_packed_cache;
typedef struct rg_packed rg_packed;

rango_status rg_packed_cache_create(rg_packed_cache **out);
void rg_packed_cache_free(rg_packed_cache *cache); /* all rg_packed must be released */
size_t rg_packed_cache_bytes(rg_packed_cache *cache);
/* The packed form of `weight` under `key` (a name of kernel and parameters, compared as text). If it isn't there,
 * `pack` fills `bytes` zeroed bytes. Thread-safe. Afterwards the mapped pages of `weight` are given back to the system.
 */
rango_status rg_packed_get(rg_packed_cache *cache, const rango_tensor *weight, const char *key, size_t bytes,
                           rango_status (*pack)(void *to, const rango_tensor *weight, const void *argument),
                           const void *argument, rg_packed **out);
const void *rg_packed_data(const rg_packed *packed);
void rg_packed_release(rg_packed *packed);

/* ---- preparing a node ---- */
typedef struct rg_prepare {
  /* given */
  const rg_node *node;
  int input_count, output_count;
  const rg_fact *const *inputs;  /* concrete; `constant` set for weights. NULL: absent */
  const rg_fact *const *outputs; /* concrete. NULL: absent */
  const rg_kernels *kernels;
  int threads;
  rg_packed_cache *cache;
  rg_arena *arena; /* the plan's: state lives here */
  /* to fill */
  rango_status (*run)(rg_exec *exec); /* NULL: no kernel for this; the engine runs op->compute */
  void *state;                        /* becomes exec->state */
  size_t scratch_bytes;               /* of the plan's arena, given by rg_exec_scratch in run; sum over its calls,
                                         each rounded up to RG_ALIGNMENT */
  rg_packed *packed[8];               /* references the plan holds and releases */
  int packed_count;
  bool in_place; /* run may be given output 0 over input 0's memory (same bytes) */
} rg_prepare;

/* Fills `prepare`. Values' layouts are in node->inputs[i]->layout and node->outputs[i]->layout. */
rango_status rg_cpu_prepare(rg_prepare *prepare);

/* Whether the backend runs `node` with its image inputs and outputs channels-last (asked by the layout pass). */
typedef enum rg_layout_support {
  RG_LAYOUT_NONE, /* row-major only */
  RG_LAYOUT_LAST, /* channels-last wanted: a kernel exists for that alone (Conv, pools) */
  RG_LAYOUT_ANY   /* runs in either, in and out alike (elementwise, normalisation, Concat on channels, Resize) */
} rg_layout_support;
rg_layout_support rg_cpu_layout_support(const rg_node *node, const rg_facts *facts);

/* Milliseconds of a layer, of one thread where the query says no more (used to choose ranks). From the table's page, or
 * a file of `rango tune`.
 */
typedef struct rg_costs rg_costs;
typedef struct rg_cost_query {
  enum { RG_COST_DENSE, RG_COST_CONV } kind;
  int64_t rows, in, out; /* dense: rows x in x out. Conv: rows = batch, channels in and out */
  int64_t group, kernel_h, kernel_w, height, width; /* conv: output size */
  int threads;                                      /* 0: one */
  bool plain; /* conv: of stride and dilation 1, so that Winograd's method may run it */
} rg_cost_query;
rango_status rg_costs_default(const rg_kernels *kernels, rg_costs **out);
rango_status rg_costs_load(const char *path,
                           rg_costs **out); /* JSON as rg_costs_measure writes: see docs/CLI.md, tune */
/* Measures this machine's, in about `seconds` on one thread. `progress` (may be NULL): a rango_progress_function. */
rango_status rg_costs_measure(const rg_kernels *kernels, double seconds,
                              bool (*progress)(void *user, double fraction, const char *stage), void *user,
                              rg_costs **out);
rango_status rg_costs_save(const rg_costs *costs, const char *path);
void rg_costs_free(rg_costs *costs);
double rg_costs_milliseconds(const rg_costs *costs, const rg_cost_query *query);

#endif
