#include "passes/canonical/rewrite.h"

rango_status rg_bypass_node(rg_node *node, rg_value *with, bool *done) {
  rg_value *out = node->outputs[0];
  *done = false;
  if (!out->output_uses) {
    RG_TRY(rg_value_replace(out, with));
    rg_node_remove(node);
    *done = true;
  } else if (with->producer && with->graph == out->graph && !with->output_uses) {
    rg_node *producer = with->producer;
    int index = with->producer_index;
    RG_TRY(rg_value_replace(with, out));
    rg_node_remove(node);
    rg_node_set_output(producer, index, out);
    *done = true;
  }
  return RANGO_OK;
}

rango_status rg_value_become_constant(rg_value *value, rango_tensor *tensor) {
  RG_TRY(rg_model_add_tensor(value->graph->model, tensor, &value->constant));
  value->type = (rg_type_info){.rank = -1}; /* the tensor says it all */
  return RANGO_OK;
}

bool rg_value_is_private(const rg_value *value) {
  return value->uses.count == 1 && !value->output_uses && value->uses.items[0].node->graph == value->graph;
}

rg_value *rg_node_input(const rg_node *node, int index) {
  return index < node->input_count ? node->inputs[index] : NULL;
}
