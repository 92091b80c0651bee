/* A plan being made: what plan.c and gpu_plan.c share. */
#ifndef RG_ENGINE_PLAN_H
#define RG_ENGINE_PLAN_H

#include <limits.h>

#include "engine/session.h"

#define RG_AT_END INT_MAX /* last use of what must outlive all steps */

/* Slots that share memory: a value, its views, and what is computed in its place. Kept at the first of them, the root.
 */
typedef struct rg_shared_memory {
  int root; /* slot; itself in a root */
  int first, last;
  size_t bytes;
  bool device_alone; /* no CPU step and no caller sees it: it needs no place in the CPU's arena */
} rg_shared_memory;

typedef struct rg_plan_builder {
  rango_session *session;
  rg_plan *plan;
  rg_arena *scratch; /* of the building alone */
  const rg_facts *facts;
  const rg_value_list *captures;
  rg_shared_memory *classes;             /* [slot_count] */
  int position;                          /* of the node at hand */
  const rg_fact **in_facts, **out_facts; /* [most inputs], [most outputs of a node] */
  rg_value_list *node_captures;          /* [nodes]: what each node's subgraphs take from outside */
} rg_plan_builder;

int rg_plan_root(const rg_plan_builder *build, int slot);
static inline int rg_plan_slot(const rg_plan_builder *build, const rg_value *value) {
  return build->plan->slot_of[value->id];
}

/* Segments, transfers and the device's memory of a plan whose steps and places are decided. `positions` [steps]: which
 * node each step is. */
rango_status rg_gpu_plan_create(rg_plan_builder *build, const int *positions);

#endif
