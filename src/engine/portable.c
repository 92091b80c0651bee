/* Portable operators on tensors that are not row-major: copies before and after. The layout pass gives channels-last to
 * operators that have kernels for it, so this is the way for the rare node whose kernel declines. */
#include <string.h>

#include "engine/session.h"

bool rg_node_is_layout(const rg_node *node) {
  return strcmp(node->op, "Layout") == 0 && strcmp(node->domain, RG_PRIVATE_DOMAIN) == 0;
}

/* [n][rows][columns] → [n][columns][rows], elements of `size` bytes. */
static void transpose(const uint8_t *from, uint8_t *to, int64_t n, int64_t rows, int64_t columns, size_t size) {
  size_t matrix = (size_t)(rows * columns) * size;
  for (int64_t i = 0; i < n; i++, from += matrix, to += matrix)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++)
        memcpy(to + (size_t)(c * rows + r) * size, from + (size_t)(r * columns + c) * size, size);
}

rango_status rg_tensor_transfer(const rango_tensor *from, rango_tensor *to) {
  const rg_shape *shape = &from->shape;
  if (from->layout == to->layout || shape->rank < 3) {
    memcpy(to->data, from->data, from->bytes);
    return RANGO_OK;
  }
  size_t bits = rango_type_bits(from->type);
  RG_FAIL_IF(bits < 8, RANGO_ERROR_UNSUPPORTED, "elements of type %s can't change their layout",
             rango_type_name(from->type));
  int64_t positions = 1;
  for (int i = 2; i < shape->rank; i++) positions *= shape->dims[i];
  bool to_last = to->layout == RG_CHANNELS_LAST;
  transpose(from->data, to->data, shape->dims[0], to_last ? shape->dims[1] : positions,
            to_last ? positions : shape->dims[1], bits / 8);
  return RANGO_OK;
}

typedef struct portable {
  rg_exec exec; /* what compute sees: row-major */
  rg_exec *outer;
  rango_tensor *outputs; /* [output_count]: made by compute, to be transferred; type undefined: not made */
} portable;

static rango_status row_major_tensor(rg_exec *outer, rango_type type, const rg_shape *shape, rango_tensor *out) {
  int64_t count;
  size_t bytes;
  void *data;
  RG_TRY(rg_shape_count(shape, &count));
  RG_TRY(rg_type_bytes(type, count, &bytes));
  RG_TRY(rg_exec_scratch(outer, bytes, &data));
  rg_tensor_init_borrowed(out, type, shape, data, bytes);
  return RANGO_OK;
}

static rango_status portable_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                    rango_tensor **out) {
  portable *self = exec->host;
  if (self->exec.node->outputs[index]->layout == RG_ROW_MAJOR)
    return rg_exec_output(self->outer, index, type, shape, out);
  *out = &self->outputs[index];
  return row_major_tensor(self->outer, type, shape, *out);
}

static rango_status portable_output_val(rg_exec *exec, int index, rg_val **out) {
  return rg_exec_output_val(((portable *)exec->host)->outer, index, out);
}

static rango_status portable_scratch(rg_exec *exec, size_t bytes, void **out) {
  return rg_exec_scratch(((portable *)exec->host)->outer, bytes, out);
}

static rango_status portable_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs,
                                      size_t input_count, rg_val *outputs, size_t output_count) {
  return rg_exec_subgraph(((portable *)exec->host)->outer, body, inputs, input_count, outputs, output_count);
}

static bool needs_copies(const rg_exec *exec) {
  if (rg_node_is_layout(exec->node)) return false; /* knows layouts: that is its work */
  for (int i = 0; i < exec->input_count; i++)
    if (rg_exec_input(exec, i) && rg_exec_input(exec, i)->layout != RG_ROW_MAJOR) return true;
  for (int i = 0; i < exec->output_count; i++)
    if (rg_exec_wants(exec, i) && exec->node->outputs[i]->layout != RG_ROW_MAJOR) return true;
  return false;
}

static rango_status copy_inputs(rg_exec *outer, rg_val *vals, const rg_val **inputs) {
  for (int i = 0; i < outer->input_count; i++) {
    const rango_tensor *from = rg_exec_input(outer, i);
    inputs[i] = outer->inputs[i];
    if (!from || from->layout == RG_ROW_MAJOR) continue;
    vals[i] = (rg_val){.kind = RG_KIND_TENSOR};
    RG_TRY(row_major_tensor(outer, from->type, &from->shape, &vals[i].tensor));
    RG_TRY(rg_tensor_transfer(from, &vals[i].tensor));
    inputs[i] = &vals[i];
  }
  return RANGO_OK;
}

static rango_status deliver_outputs(portable *self) {
  for (int i = 0; i < self->outer->output_count; i++) {
    const rango_tensor *made = &self->outputs[i];
    if (made->type == RANGO_UNDEFINED) continue;
    rango_tensor *to;
    RG_TRY(rg_exec_output(self->outer, i, made->type, &made->shape, &to));
    if (to) RG_TRY(rg_tensor_transfer(made, to));
  }
  return RANGO_OK;
}

rango_status rg_portable_run(const rg_op *op, rg_exec *exec) {
  if (!needs_copies(exec)) return rg_op_compute(op, exec);
  size_t ins = (size_t)exec->input_count, outs = (size_t)exec->output_count;
  portable self = {.outer = exec};
  rg_val *vals;
  const rg_val **inputs;
  RG_TRY(rg_exec_scratch(exec, ins * sizeof *vals, RG_OUT(&vals)));
  RG_TRY(rg_exec_scratch(exec, ins * sizeof *inputs, RG_OUT(&inputs)));
  RG_TRY(rg_exec_scratch(exec, outs * sizeof *self.outputs, RG_OUT(&self.outputs)));
  memset(self.outputs, 0, outs * sizeof *self.outputs);
  RG_TRY(copy_inputs(exec, vals, inputs));
  self.exec = *exec;
  self.exec.inputs = inputs;
  self.exec.host = &self;
  self.exec.output = portable_output;
  self.exec.output_val = portable_output_val;
  self.exec.scratch = portable_scratch;
  self.exec.subgraph = portable_subgraph;
  RG_TRY(rg_op_compute(op, &self.exec));
  return deliver_outputs(&self);
}
