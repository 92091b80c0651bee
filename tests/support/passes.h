/* Running one pass on a small graph, with outputs compared before and after. */
#ifndef TESTS_SUPPORT_PASSES_H
#define TESTS_SUPPORT_PASSES_H

#include "passes/passes.h"
#include "support/graphs.h"

typedef struct pass_run {
  rg_pass pass;
  int changes;
} pass_run;

static inline rango_status run_pass(rango_model *model, void *argument) {
  pass_run *run = argument;
  RG_TRY(rg_ops_resolve(model, true));
  return run->pass(model, &run->changes);
}

/* Runs the pass, which must keep the outputs; returns the changes it counted. */
static inline int check_pass(rango_model *model, rg_pass pass, double tolerance) {
  pass_run run = {pass, 0};
  check_same_outputs(model, run_pass, &run, tolerance);
  return run.changes;
}

static inline rg_node *first_op(const rg_graph *graph, const char *op) {
  rg_node *node = graph->first;
  while (node && !rg_node_is(node, op)) node = node->next;
  return node;
}

#endif
