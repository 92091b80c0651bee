/* Loads a model, runs the canonical passes on a copy and saves that: what tests/passes/canonical.py compares with the
 * original in ONNX Runtime. Prints the number of nodes before and after. Usage: canonical_model FROM TO */
#include <stdio.h>

#include "passes/passes.h"

static rango_status count_nodes(rg_graph *graph, void *argument) {
  for (const rg_node *node = graph->first; node; node = node->next) ++*(int *)argument;
  return RANGO_OK;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: canonical_model FROM TO\n");
    return 2;
  }
  rango_model *model = NULL, *copy = NULL;
  int before = 0, after = 0;
  rango_status status = rango_model_load(arguments[1], NULL, &model);
  if (status == RANGO_OK) status = rg_model_copy(model, &copy);
  if (status == RANGO_OK) status = rg_model_visit_graphs(copy, false, count_nodes, &before);
  if (status == RANGO_OK) status = rg_passes_canonical(copy);
  if (status == RANGO_OK) status = rg_model_visit_graphs(copy, false, count_nodes, &after);
  if (status == RANGO_OK) status = rango_model_save(copy, arguments[2]);
  if (status != RANGO_OK)
    fprintf(stderr, "%s: %s\n", rango_status_name(status), rango_error_message());
  else
    printf("%d %d\n", before, after);
  rg_model_release(copy);
  rango_model_free(model);
  return status != RANGO_OK;
}
