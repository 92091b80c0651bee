/* Before IR version 4 every initializer had to be listed among the graph's inputs; later files that still do so mean a
 * default that a caller may override. Rango treats both as constants: they leave the list. */
#include "passes/passes.h"

rango_status rg_pass_constant_inputs(rango_model *model, int *changes) {
  rg_value_list *inputs = &model->graph->inputs;
  size_t kept = 0;
  for (size_t i = 0; i < inputs->count; i++) {
    rg_value *value = inputs->items[i];
    value->is_input = !value->constant;
    if (value->is_input) inputs->items[kept++] = value;
  }
  *changes += kept < inputs->count;
  inputs->count = kept;
  if (model->ir_version < 4) model->ir_version = 4;
  return RANGO_OK;
}
