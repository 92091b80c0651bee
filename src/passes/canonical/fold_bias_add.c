/* An Add of one constant a channel behind a Conv or ConvTranspose goes into its bias. (A MatMul keeps its Add: what is
 * one operation inside the engine stays two in standard ONNX.) */
#include "passes/canonical/rewrite.h"

static int64_t output_channels(const rg_node *conv, const rango_tensor *weight) {
  bool transposed = rg_node_is(conv, "ConvTranspose");
  return transposed ? weight->shape.dims[1] * rg_node_int(conv, "group", 1) : weight->shape.dims[0];
}

/* Whether `addend` broadcast against the output (of the weight's rank) is one number a channel (axis 1), or one for
 * all. */
static bool is_per_channel(const rango_tensor *addend, int rank, int64_t channels) {
  int offset = rank - addend->shape.rank; /* axes are aligned at the end */
  if (offset < 0) return false;
  for (int i = 0; i < addend->shape.rank; i++) {
    int64_t size = addend->shape.dims[i];
    if (size != 1 && !(i + offset == 1 && size == channels)) return false;
  }
  return true;
}

static rango_status sum(const rango_tensor *weight, const rango_tensor *bias, const rango_tensor *addend,
                        int64_t channels, rango_tensor *out) {
  RG_TRY(rg_tensor_init(out, weight->type, &(rg_shape){1, {channels}}));
  bool one = rango_tensor_count(addend) == 1;
  for (int64_t c = 0; c < channels; c++) {
    double old = bias ? rg_tensor_get_double(bias, c) : 0;
    rg_tensor_set_double(out, c, old + rg_tensor_get_double(addend, one ? 0 : c));
  }
  return RANGO_OK;
}

/* The constant beside a private output of a Conv, whichever comes first. */
static const rango_tensor *find_parts(const rg_node *add, rg_node **conv) {
  for (int i = 0; i < 2; i++) {
    rg_value *value = add->inputs[i];
    const rango_tensor *constant = rg_value_constant(add->inputs[1 - i]);
    *conv = value ? value->producer : NULL;
    if (!constant || !*conv || (*conv)->graph != add->graph || !rg_value_is_private(value)) continue;
    if ((rg_node_is(*conv, "Conv") || rg_node_is(*conv, "ConvTranspose")) && (*conv)->definition) return constant;
  }
  return NULL;
}

static rango_status fold(rg_node *add, int *changes) {
  rg_node *conv;
  if (!rg_node_is(add, "Add") || add->input_count != 2 || add->version < 7)
    return RANGO_OK; /* before: no broadcasting */
  const rango_tensor *addend = find_parts(add, &conv);
  if (!addend || conv->input_count < 2) return RANGO_OK;
  const rango_tensor *weight = rg_value_constant(conv->inputs[1]), *bias = rg_value_constant(rg_node_input(conv, 2));
  if (!weight || weight->shape.rank < 3 || weight->type != addend->type || (rg_node_input(conv, 2) && !bias))
    return RANGO_OK;
  int64_t channels = output_channels(conv, weight);
  if (!is_per_channel(addend, weight->shape.rank, channels) || (bias && rango_tensor_count(bias) != channels))
    return RANGO_OK;
  rango_tensor tensor;
  rg_value *value, *old = rg_node_input(conv, 2), *output = add->outputs[0];
  rg_value *constant = rg_value_constant(add->inputs[0]) == addend ? add->inputs[0] : add->inputs[1];
  RG_TRY(sum(weight, bias, addend, channels, &tensor));
  RG_TRY(rg_graph_add_constant(add->graph, old ? old->name : constant->name, &tensor, &value));
  if (conv->input_count < 3) RG_TRY(rg_node_set_input_count(conv, 3));
  RG_TRY(rg_node_set_input(conv, 2, value));
  rg_node_remove(add);
  rg_node_set_output(conv, 0, output);
  ++*changes;
  return RANGO_OK;
}

static rango_status visit(rg_graph *graph, void *argument) {
  for (rg_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    RG_TRY(fold(node, argument));
  }
  return RANGO_OK;
}

rango_status rg_pass_fold_bias_add(rango_model *model, int *changes) {
  return rg_model_visit_graphs(model, false, visit, changes);
}
