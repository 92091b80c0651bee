/* Running one node outside a session: constant folding and tests. Bodies run node by node, nothing is planned. */
#include "ops/op.h"

#include <string.h>

#define DEPTH_MAX 64 /* nested bodies */

typedef struct block {
  struct block *next;
  void *data;
} block;

/* What one whole evaluation shares. */
typedef struct evaluation {
  bool scalar;
  int depth;
  rg_val *values; /* by value id, of bodies being run; made for the first body */
} evaluation;

/* The host of one node. */
typedef struct frame {
  evaluation *shared;
  rg_val *const *outputs; /* [output_count] */
  block *blocks;
} frame;

static rango_status frame_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out) {
  frame *self = exec->host;
  rg_val *val = self->outputs[index];
  rg_val_clear(val);
  RG_TRY(rg_tensor_init(&val->tensor, type, shape));
  val->kind = RG_KIND_TENSOR;
  *out = &val->tensor;
  return RANGO_OK;
}

static rango_status frame_output_val(rg_exec *exec, int index, rg_val **out) {
  frame *self = exec->host;
  rg_val_clear(self->outputs[index]);
  *out = self->outputs[index];
  return RANGO_OK;
}

static rango_status frame_scratch(rg_exec *exec, size_t bytes, void **out) {
  frame *self = exec->host;
  block *made;
  RG_TRY(rg_alloc(sizeof *made, RG_OUT(&made)));
  rango_status status = rg_alloc(bytes, out);
  if (status != RANGO_OK) {
    rg_free(made);
    return status;
  }
  *made = (block){self->blocks, *out};
  self->blocks = made;
  return RANGO_OK;
}

static rango_status run_body(evaluation *shared, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                             rg_val *outputs, size_t output_count);

static rango_status frame_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                                   rg_val *outputs, size_t output_count) {
  evaluation *shared = ((frame *)exec->host)->shared;
  if (shared->depth >= DEPTH_MAX) RG_FAIL(RANGO_ERROR_LIMIT, "bodies are nested more than %d deep", DEPTH_MAX);
  if (!shared->values)
    RG_TRY(rg_calloc((size_t)body->model->value_count + 1, sizeof *shared->values, RG_OUT(&shared->values)));
  shared->depth++;
  rango_status status = run_body(shared, body, inputs, input_count, outputs, output_count);
  shared->depth--;
  return status;
}

static rango_status run_node(evaluation *shared, const rg_node *node, const rg_val *const *inputs,
                             rg_val *const *outputs) {
  if (!node->definition)
    RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: operator of domain \"%s\", opset version %d, is not implemented",
            rg_node_text(node), node->domain[0] ? node->domain : "ai.onnx", node->version);
  frame self = {.shared = shared, .outputs = outputs};
  rg_exec exec = {.node = node,
                  .input_count = node->input_count,
                  .output_count = node->output_count,
                  .inputs = inputs,
                  .host = &self,
                  .output = frame_output,
                  .output_val = frame_output_val,
                  .scratch = frame_scratch,
                  .subgraph = frame_subgraph};
  const rg_op *op = shared->scalar ? rg_op_scalar(node->definition) : node->definition;
  rango_status status = rg_op_compute(op, &exec);
  while (self.blocks) {
    block *next = self.blocks->next;
    rg_free(self.blocks->data);
    rg_free(self.blocks);
    self.blocks = next;
  }
  return status;
}

/* ---- bodies ---- */

/* The value that a node of a body reads: made by the body or an outer one, or a constant. */
static rango_status read_value(evaluation *shared, const rg_value *value, const rg_val **out) {
  rg_val *val = &shared->values[value->id];
  *out = val;
  if (val->kind != RG_KIND_NONE) return RANGO_OK;
  const rango_tensor *constant = rg_value_constant(value);
  if (!constant) return RANGO_OK; /* an empty optional, or a value of a graph that isn't run: the operator complains */
  rg_tensor_init_view(&val->tensor, constant);
  val->kind = RG_KIND_TENSOR;
  return RANGO_OK;
}

static rango_status run_body_node(evaluation *shared, const rg_node *node) {
  const rg_val **inputs = NULL;
  rg_val **outputs = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc((size_t)node->input_count + 1, sizeof(rg_val *), RG_OUT(&inputs)));
  RG_TRY_DONE(rg_calloc((size_t)node->output_count + 1, sizeof(rg_val *), RG_OUT(&outputs)));
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) RG_TRY_DONE(read_value(shared, node->inputs[i], &inputs[i]));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) outputs[i] = &shared->values[node->outputs[i]->id];
  status = run_node(shared, node, inputs, outputs);
done:
  rg_free(inputs);
  rg_free(outputs);
  return status;
}

static void clear_body(evaluation *shared, const rg_graph *body) {
  for (size_t i = 0; i < body->values.count; i++) rg_val_clear(&shared->values[body->values.items[i]->id]);
}

static rango_status run_body(evaluation *shared, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                             rg_val *outputs, size_t output_count) {
  rango_status status = RANGO_OK;
  clear_body(shared, body);
  for (size_t i = 0; i < body->inputs.count && i < input_count; i++)
    if (inputs[i]) RG_TRY_DONE(rg_val_view(&shared->values[body->inputs.items[i]->id], inputs[i]));
  for (const rg_node *node = body->first; node; node = node->next) RG_TRY_DONE(run_body_node(shared, node));
  for (size_t i = 0; i < body->outputs.count && i < output_count; i++) {
    const rg_val *val;
    RG_TRY_DONE(read_value(shared, body->outputs.items[i], &val));
    RG_TRY_DONE(rg_val_view(&outputs[i], val));
  }
done:
  clear_body(shared, body);
  return status;
}

rango_status rg_op_evaluate(const rg_node *node, bool scalar, const rg_val *const *inputs, rg_val *outputs) {
  evaluation shared = {.scalar = scalar};
  rg_val **pointers;
  RG_TRY(rg_calloc((size_t)node->output_count + 1, sizeof(rg_val *), RG_OUT(&pointers)));
  for (int i = 0; i < node->output_count; i++) pointers[i] = &outputs[i];
  rango_status status = run_node(&shared, node, inputs, pointers);
  for (int i = 0; shared.values && i < node->graph->model->value_count; i++) rg_val_clear(&shared.values[i]);
  rg_free(shared.values);
  rg_free(pointers);
  return status;
}
