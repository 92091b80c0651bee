/* What an operator's compute calls of its host, and the conversions around it. */
#include "ops/op.h"

#include "base/checked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const rango_tensor *rg_exec_input(const rg_exec *exec, int index) {
  if (index >= exec->input_count || !exec->inputs[index] || exec->inputs[index]->kind != RG_KIND_TENSOR) return NULL;
  return &exec->inputs[index]->tensor;
}

bool rg_exec_wants(const rg_exec *exec, int index) {
  return index < exec->output_count && index < exec->node->output_count && exec->node->outputs[index];
}

rango_status rg_exec_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape, rango_tensor **out) {
  *out = NULL;
  return rg_exec_wants(exec, index) ? exec->output(exec, index, type, shape, out) : RANGO_OK;
}

rango_status rg_exec_output_val(rg_exec *exec, int index, rg_val **out) {
  *out = NULL;
  return rg_exec_wants(exec, index) ? exec->output_val(exec, index, out) : RANGO_OK;
}

rango_status rg_exec_scratch(rg_exec *exec, size_t bytes, void **out) { return exec->scratch(exec, bytes, out); }

rango_status rg_exec_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs, size_t input_count,
                              rg_val *outputs, size_t output_count) {
  return exec->subgraph(exec, body, inputs, input_count, outputs, output_count);
}

void rg_node_error(const rg_node *node, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  rg_error_set("%s: %s", rg_node_text(node), text);
}

/* ---- stand-in types: rg_op_compute gives compute inputs of a type that it handles, and converts outputs back ---- */

typedef struct pending {
  struct pending *next;
  int index;
  rango_tensor tensor; /* of the stand-in type */
} pending;

typedef struct stand_in {
  rg_exec exec; /* what compute sees */
  rg_exec *outer;
  rango_type type, original;
  const rango_tensor **strings; /* of a string: ids count through these, in order */
  int string_tensors;
  pending *outputs;
} stand_in;

static rango_type stand_in_type(const rg_op *op, rango_type type) {
  if ((op->flags & RG_OP_FLOAT_ONLY) && (type == RANGO_FLOAT16 || type == RANGO_BFLOAT16)) return RANGO_FLOAT32;
  if (!(op->flags & RG_OP_MOVE)) return RANGO_UNDEFINED;
  if (type == RANGO_STRING) return RANGO_COMPLEX64;
  return rango_type_bits(type) > 0 && rango_type_bits(type) < 8 ? RANGO_UINT8 : RANGO_UNDEFINED;
}

/* Elements of 2 or 4 bits, one a byte and back. */
static void unpack_bits(rango_type type, const uint8_t *from, uint8_t *to, int64_t count) {
  int bits = (int)rango_type_bits(type), per_byte = 8 / bits;
  for (int64_t i = 0; i < count; i++)
    to[i] = (uint8_t)(from[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1));
}

static void pack_bits(rango_type type, const uint8_t *from, uint8_t *to, int64_t count) {
  int bits = (int)rango_type_bits(type), per_byte = 8 / bits;
  for (int64_t i = 0; i < count; i++) {
    uint8_t part = (uint8_t)((from[i] & ((1 << bits) - 1)) << (i % per_byte * bits));
    to[i / per_byte] = i % per_byte == 0 ? part : (uint8_t)(to[i / per_byte] | part);
  }
}

static rango_status convert_input(stand_in *self, const rango_tensor *from, uint64_t *next_id, rg_val *to) {
  int64_t count;
  size_t bytes;
  void *data;
  RG_TRY(rg_shape_count(&from->shape, &count));
  RG_TRY(rg_type_bytes(self->type, count, &bytes));
  RG_TRY(rg_exec_scratch(self->outer, bytes, &data));
  to->kind = RG_KIND_TENSOR;
  rg_tensor_init_borrowed(&to->tensor, self->type, &from->shape, data, bytes);
  to->tensor.layout = from->layout;
  if (self->type == RANGO_FLOAT32) {
    rg_widen(from->type, from->data, data, (size_t)count);
  } else if (self->type == RANGO_COMPLEX64) {
    for (int64_t i = 0; i < count; i++) ((uint64_t *)data)[i] = (*next_id)++;
    self->strings[self->string_tensors++] = from;
  } else {
    unpack_bits(from->type, from->data, data, count);
  }
  return RANGO_OK;
}

static rango_status stand_in_output(rg_exec *exec, int index, rango_type type, const rg_shape *shape,
                                    rango_tensor **out) {
  stand_in *self = exec->host;
  const rango_tensor *first = rg_exec_input(self->outer, 0);
  bool is_single = type == RANGO_FLOAT32 && first && first->type == RANGO_FLOAT32; /* beside a half-precision input */
  if (type != self->type || is_single) return rg_exec_output(self->outer, index, type, shape, out);
  int64_t count;
  size_t bytes;
  void *data;
  pending *output;
  RG_TRY(rg_shape_count(shape, &count));
  RG_TRY(rg_type_bytes(type, count, &bytes));
  RG_TRY(rg_exec_scratch(self->outer, bytes, &data));
  RG_TRY(rg_exec_scratch(self->outer, sizeof *output, RG_OUT(&output)));
  *output = (pending){.next = self->outputs, .index = index};
  rg_tensor_init_borrowed(&output->tensor, type, shape, data, bytes);
  self->outputs = output;
  *out = &output->tensor;
  return RANGO_OK;
}

static rango_status stand_in_output_val(rg_exec *exec, int index, rg_val **out) {
  return rg_exec_output_val(((stand_in *)exec->host)->outer, index, out);
}

static rango_status stand_in_scratch(rg_exec *exec, size_t bytes, void **out) {
  return rg_exec_scratch(((stand_in *)exec->host)->outer, bytes, out);
}

static rango_status stand_in_subgraph(rg_exec *exec, const rg_graph *body, const rg_val *const *inputs,
                                      size_t input_count, rg_val *outputs, size_t output_count) {
  return rg_exec_subgraph(((stand_in *)exec->host)->outer, body, inputs, input_count, outputs, output_count);
}

/* Ids that compute made itself (zeros of padding) read as the first string, or as "" where there is none. */
static rg_string string_of_id(const stand_in *self, uint64_t id) {
  for (int i = 0; i < self->string_tensors; i++) {
    uint64_t count = self->strings[i]->bytes / sizeof(char *);
    if (id < count)
      return (rg_string){((const char *const *)self->strings[i]->data)[id], self->strings[i]->lengths[id]};
    id -= count;
  }
  return (rg_string){"", 0};
}

static rango_status finish_strings(stand_in *self, const pending *output, int64_t count) {
  rg_val *val;
  rg_string *strings;
  size_t bytes;
  if (!rg_mul_size((size_t)count, sizeof *strings, &bytes)) return rg_fail(RANGO_ERROR_LIMIT, "too many strings");
  RG_TRY(rg_exec_scratch(self->outer, bytes, RG_OUT(&strings)));
  for (int64_t i = 0; i < count; i++) strings[i] = string_of_id(self, ((const uint64_t *)output->tensor.data)[i]);
  RG_TRY(rg_exec_output_val(self->outer, output->index, &val));
  if (!val) return RANGO_OK;
  val->kind = RG_KIND_TENSOR;
  return rg_tensor_init_strings(&val->tensor, &output->tensor.shape, strings);
}

static rango_status finish_output(stand_in *self, const pending *output) {
  int64_t count;
  rango_tensor *to;
  RG_TRY(rg_shape_count(&output->tensor.shape, &count));
  if (self->original == RANGO_STRING) return finish_strings(self, output, count);
  RG_TRY(rg_exec_output(self->outer, output->index, self->original, &output->tensor.shape, &to));
  if (!to) return RANGO_OK;
  if (self->type == RANGO_FLOAT32)
    rg_narrow(self->original, output->tensor.data, to->data, (size_t)count);
  else
    pack_bits(self->original, output->tensor.data, to->data, count);
  return RANGO_OK;
}

static rango_status compute_stand_in(const rg_op *op, stand_in *self) {
  rg_exec *outer = self->outer;
  rg_val *vals;
  const rg_val **inputs;
  size_t count = (size_t)outer->input_count;
  RG_TRY(rg_exec_scratch(outer, count * sizeof *vals, RG_OUT(&vals)));
  RG_TRY(rg_exec_scratch(outer, count * sizeof(rg_val *), RG_OUT(&inputs)));
  RG_TRY(rg_exec_scratch(outer, count * sizeof(rango_tensor *), RG_OUT(&self->strings)));
  uint64_t next_id = 0;
  for (int i = 0; i < outer->input_count; i++) {
    const rango_tensor *tensor = rg_exec_input(outer, i);
    inputs[i] = outer->inputs[i];
    if (!tensor || stand_in_type(op, tensor->type) != self->type) continue;
    vals[i] = (rg_val){0};
    RG_TRY(convert_input(self, tensor, &next_id, &vals[i]));
    inputs[i] = &vals[i];
  }
  self->exec = (rg_exec){.node = outer->node,
                         .input_count = outer->input_count,
                         .output_count = outer->output_count,
                         .inputs = inputs,
                         .state = outer->state,
                         .threads = outer->threads,
                         .host = self,
                         .output = stand_in_output,
                         .output_val = stand_in_output_val,
                         .scratch = stand_in_scratch,
                         .subgraph = stand_in_subgraph};
  RG_TRY(op->compute(&self->exec));
  for (const pending *output = self->outputs; output; output = output->next) RG_TRY(finish_output(self, output));
  return RANGO_OK;
}

rango_status rg_op_compute(const rg_op *op, rg_exec *exec) {
  for (int i = 0; i < exec->input_count; i++) {
    const rango_tensor *tensor = rg_exec_input(exec, i);
    rango_type type = tensor ? stand_in_type(op, tensor->type) : RANGO_UNDEFINED;
    if (type == RANGO_UNDEFINED) continue;
    stand_in self = {.outer = exec, .type = type, .original = tensor->type};
    return compute_stand_in(op, &self);
  }
  return op->compute(exec);
}
