/* Building the gradient's nodes; see backward.h. */
#include "adjoint/backward.h"

#include <float.h>
#include <stdarg.h>
#include <string.h>

/* ---- the node ---- */

void rg_back_fail(rg_backward *b, rango_status status) {
  if (b->status == RANGO_OK) b->status = status;
}

static bool failed(rg_backward *b, rango_status status) {
  rg_back_fail(b, status);
  return b->status != RANGO_OK;
}

rg_value *rg_back_input(const rg_backward *b, int index) {
  return index < b->node->input_count ? b->node->inputs[index] : NULL;
}

bool rg_back_wants(const rg_backward *b, int index) {
  const rg_value *value = rg_back_input(b, index);
  return value && b->needed[value->id];
}

const rg_fact *rg_back_fact(const rg_backward *b, const rg_value *value) { return &b->facts->items[value->id]; }

/* The one input of a function of one element, whose other operand, if any, is one number; NULL: it is none. */
static rg_value *argument_of(const rg_node *node) {
  static const char *const functions[] = {"Add",  "Sub",         "Mul", "Div", "Erf", "Sigmoid",
                                          "Tanh", "HardSigmoid", "Exp", "Neg", "Pow", "Clip"};
  bool listed = false;
  rg_value *argument = NULL;
  for (size_t i = 0; node && i < sizeof functions / sizeof *functions; i++) listed |= rg_node_is(node, functions[i]);
  for (int i = 0; listed && i < node->input_count; i++) {
    const rango_tensor *constant = node->inputs[i] ? rg_value_constant(node->inputs[i]) : NULL;
    if (!node->inputs[i] || (constant && rango_tensor_count(constant) == 1)) continue;
    if (argument) return NULL;
    argument = node->inputs[i];
  }
  return argument;
}

#define AGAIN_MAX 6 /* functions in a row */

/* Whether the value comes from one with other readers in a few steps that have none. */
static bool is_cheap(const rg_backward *b, const rg_value *value) {
  const rg_value *source = value;
  for (int i = 0; i < AGAIN_MAX && source && b->uses[source->id] == 1; i++) source = argument_of(source->producer);
  return source && source != value && b->uses[source->id] > 1;
}

static rango_status copy_node(rg_backward *b, const rg_node *from, rg_value *argument, rg_value *with, rg_value **out) {
  rg_node *node;
  RG_TRY(rg_graph_add_node(b->graph, b->before, from->op, from->domain, from->version, from->input_count, 1, &node));
  RG_TRY(rg_node_copy_attributes(node, from));
  for (int i = 0; i < from->input_count; i++)
    RG_TRY(rg_node_set_input(node, i, from->inputs[i] == argument ? with : from->inputs[i]));
  RG_TRY(rg_graph_add_value(b->graph, b->name, out));
  node->name = (*out)->name;
  rg_node_set_output(node, 0, *out);
  return RANGO_OK;
}

rg_value *rg_back_value(rg_backward *b, rg_value *value) {
  if (b->status != RANGO_OK || !value) return NULL;
  if (value->id >= b->known || !is_cheap(b, value)) return value;
  rg_value **again = &b->again[value->id];
  if (*again) return *again;
  rg_value *argument = argument_of(value->producer), *with = rg_back_value(b, argument);
  return failed(b, copy_node(b, value->producer, argument, with, again)) ? NULL : *again;
}

int rg_back_rank(const rg_backward *b, int index) { return rg_back_fact(b, rg_back_input(b, index))->rank; }

rg_value *rg_back_gradient(rg_backward *b, int output) {
  const rg_value *value = output < b->node->output_count ? b->node->outputs[output] : NULL;
  return value ? b->gradients[value->id] : NULL;
}

void rg_back_give(rg_backward *b, int index, rg_value *share) {
  if (b->status != RANGO_OK || !rg_back_wants(b, index)) return;
  rg_value **sum = &b->gradients[rg_back_input(b, index)->id];
  *sum = *sum ? rg_back_add(b, *sum, share) : share;
}

/* Where nothing is known about an axis of `value` but its own run-time size: summed there if that is 1. */
static rg_value *sum_where_one(rg_backward *b, rg_value *share, rg_value *value) {
  int64_t one = 1, zero = 0;
  rg_value *is_one = rg_back_op(b, "Equal", 2, rg_back_shape(b, value), rg_back_ints(b, &one, 1));
  rg_value *axes = rg_back_squeeze(b, "Squeeze", rg_back_op(b, "NonZero", 1, is_one), &zero, 1);
  rg_value *sum = rg_back_op(b, "ReduceSum", 2, share, axes);
  rg_back_set_int(b, sum, "keepdims", 1);
  rg_back_set_int(b, sum, "noop_with_empty_axes", 1);
  return sum;
}

void rg_back_give_from(rg_backward *b, int index, rg_value *share, const int64_t *dims, int rank) {
  if (b->status != RANGO_OK || !rg_back_wants(b, index)) return;
  rg_value *value = rg_back_input(b, index);
  const rg_fact *to = rg_back_fact(b, value);
  int64_t lead[RANGO_MAX_RANK], stretched[RANGO_MAX_RANK];
  int leads = rank - to->rank, count = 0;
  bool open = false;
  for (int i = 0; i < leads; i++) lead[i] = i;
  for (int i = 0; i < to->rank; i++) {
    int64_t size = dims[leads + i];
    if (to->dims[i] == 1 && size != 1) stretched[count++] = i;
    open |= !rg_size_is_known(to->dims[i]) && (size != to->dims[i] || size == RG_SIZE_UNKNOWN);
  }
  share = rg_back_reduce(b, "ReduceSum", share, lead, leads, false);
  if (open)
    share = sum_where_one(b, share, value);
  else
    share = rg_back_reduce(b, "ReduceSum", share, stretched, count, true);
  rg_back_give(b, index, share);
}

void rg_back_give_broadcast(rg_backward *b, int index, rg_value *share) {
  const rg_fact *from = rg_back_fact(b, b->node->outputs[0]);
  rg_back_give_from(b, index, share, from->dims, from->rank);
}

bool rg_known_ints(const rg_facts *facts, const rg_value *value, int64_t *out, int *count) {
  const rango_tensor *constant = rg_value_constant(value);
  const rg_fact *fact = &facts->items[value->id];
  int64_t size = constant ? rango_tensor_count(constant) : fact->known ? fact->known_count : RANGO_MAX_RANK + 1;
  if (size > RANGO_MAX_RANK) return false;
  for (int64_t i = 0; i < size; i++) {
    out[i] = constant ? rg_tensor_get_i64(constant, i) : fact->known[i];
    if (!rg_size_is_known(out[i]) && !constant) return false;
  }
  *count = (int)size;
  return true;
}

/* ---- parts of gradients ---- */

void rg_back_give_part(rg_backward *b, int index, int axis, int64_t begin, int64_t size, rg_value *share) {
  if (b->status != RANGO_OK || !rg_back_wants(b, index) || failed(b, RG_RESERVE(&b->parts, 1))) return;
  b->parts.items[b->parts.count++] = (rg_gradient_part){rg_back_input(b, index)->id, axis, begin, size, share};
}

/* Takes the value's first part at or behind `from` on `axis` (-1: of any axis) out of the list; false: there is none.
 */
static bool take_part(rg_backward *b, const rg_value *value, int axis, int64_t from, rg_gradient_part *out) {
  size_t found = b->parts.count;
  for (size_t i = 0; i < b->parts.count; i++) {
    const rg_gradient_part *part = &b->parts.items[i];
    if (part->value != value->id || (axis >= 0 && part->axis != axis) || part->begin < from) continue;
    if (found == b->parts.count || part->begin < b->parts.items[found].begin) found = i;
  }
  if (found == b->parts.count) return false;
  *out = b->parts.items[found];
  b->parts.items[found] = b->parts.items[--b->parts.count];
  return true;
}

static rg_value *with_zeros(rg_backward *b, rg_value *x, int axis, int64_t before, int64_t behind) {
  if (before == 0 && behind == 0) return x;
  rg_value *pads = rg_back_ints(b, (const int64_t[]){before, behind}, 2);
  return rg_back_op(b, "Pad", 4, x, pads, NULL, rg_back_ints(b, &(int64_t){axis}, 1));
}

/* A row of parts of one axis, from `part` on, that fills the axis, with zeros where no part is. */
static rg_value *join_parts(rg_backward *b, const rg_value *value, rg_gradient_part part) {
  const int64_t size = rg_back_fact(b, value)->dims[part.axis];
  int64_t before = part.begin;
  rg_value *row = NULL;
  for (bool more = true; more;) {
    int64_t end = part.begin + part.size;
    rg_gradient_part next;
    more = take_part(b, value, part.axis, end, &next);
    rg_value *share = with_zeros(b, part.share, part.axis, before, (more ? next.begin : size) - end);
    row = rg_back_append(b, row, share, part.axis);
    before = 0;
    part = next;
  }
  return row;
}

void rg_back_settle(rg_backward *b, const rg_value *value) {
  rg_gradient_part part;
  rg_value **sum = &b->gradients[value->id];
  while (b->status == RANGO_OK && take_part(b, value, -1, 0, &part)) {
    rg_value *share = join_parts(b, value, part);
    *sum = *sum ? rg_back_add(b, *sum, share) : share;
  }
}

/* ---- nodes and attributes ---- */

static rango_status add_node(rg_backward *b, const char *op, int count, va_list inputs, rg_value **out) {
  rg_node *node;
  RG_TRY(rg_graph_add_node(b->graph, b->before, op, "", b->version, count, 1, &node));
  for (int i = 0; i < count; i++) RG_TRY(rg_node_set_input(node, i, va_arg(inputs, rg_value *)));
  RG_TRY(rg_graph_add_value(b->graph, b->name, out));
  node->name = (*out)->name;
  rg_node_set_output(node, 0, *out);
  return RANGO_OK;
}

rg_value *rg_back_op(rg_backward *b, const char *op, int count, ...) {
  rg_value *out = NULL;
  va_list inputs;
  if (b->status != RANGO_OK) return NULL;
  va_start(inputs, count);
  rango_status status = add_node(b, op, count, inputs, &out);
  va_end(inputs);
  return failed(b, status) ? NULL : out;
}

rg_value *rg_back_more(rg_backward *b, rg_value *value) {
  rg_value *out = NULL;
  if (b->status != RANGO_OK) return NULL;
  rg_node *old = value->producer, *node;
  int count = old->output_count;
  if (failed(b, rg_graph_add_node(b->graph, old, old->op, "", old->version, old->input_count, count + 1, &node)) ||
      failed(b, rg_node_copy_attributes(node, old)) || failed(b, rg_graph_add_value(b->graph, b->name, &out)))
    return NULL;
  for (int i = 0; i < old->input_count; i++)
    if (failed(b, rg_node_set_input(node, i, old->inputs[i]))) return NULL;
  for (int i = 0; i < count; i++) {
    rg_value *output = old->outputs[i];
    rg_node_set_output(old, i, NULL);
    rg_node_set_output(node, i, output);
  }
  rg_node_remove(old);
  node->name = old->name;
  rg_node_set_output(node, count, out);
  return out;
}

void rg_back_set_int(rg_backward *b, rg_value *value, const char *name, int64_t number) {
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_int(value->producer, name, number));
}

void rg_back_set_float(rg_backward *b, rg_value *value, const char *name, double number) {
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_float(value->producer, name, (float)number));
}

void rg_back_set_string(rg_backward *b, rg_value *value, const char *name, const char *text) {
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_string(value->producer, name, text));
}

void rg_back_set_ints(rg_backward *b, rg_value *value, const char *name, const int64_t *numbers, int count) {
  if (b->status == RANGO_OK) rg_back_fail(b, rg_node_set_ints(value->producer, name, numbers, (size_t)count));
}

/* ---- constants ---- */

/* Takes over the tensor's content. */
static rg_value *add_constant(rg_backward *b, rango_tensor *tensor) {
  rg_value *out = NULL;
  return failed(b, rg_graph_add_constant(b->graph, b->name, tensor, &out)) ? NULL : out;
}

rg_value *rg_back_filled(rg_backward *b, int rank, const int64_t *dims, double number) {
  rango_tensor tensor;
  rg_shape shape = {.rank = rank};
  for (int i = 0; i < rank; i++) shape.dims[i] = dims[i];
  if (b->status != RANGO_OK || failed(b, rg_tensor_init(&tensor, b->type, &shape))) return NULL;
  for (int64_t i = 0; i < rango_tensor_count(&tensor); i++) rg_tensor_set_double(&tensor, i, number);
  return add_constant(b, &tensor);
}

rg_value *rg_back_scalar(rg_backward *b, double number) { return rg_back_filled(b, 0, NULL, number); }

rg_value *rg_back_ints(rg_backward *b, const int64_t *numbers, int count) {
  rango_tensor tensor;
  rg_shape shape = {1, {count}};
  if (b->status != RANGO_OK || failed(b, rg_tensor_init(&tensor, RANGO_INT64, &shape))) return NULL;
  memcpy(tensor.data, numbers, (size_t)count * sizeof *numbers);
  return add_constant(b, &tensor);
}

/* ---- elementwise ---- */

rg_value *rg_back_scale(rg_backward *b, rg_value *x, double factor) {
  return factor == 1 ? x : rg_back_mul(b, x, rg_back_scalar(b, factor));
}

rg_value *rg_back_shift(rg_backward *b, rg_value *x, double offset) {
  return rg_back_add(b, x, rg_back_scalar(b, offset));
}

rg_value *rg_back_step(rg_backward *b, rg_value *x) {
  rg_value *step = rg_back_op(b, "HardSigmoid", 1, x);
  rg_back_set_float(b, step, "alpha", (double)FLT_MAX);
  rg_back_set_float(b, step, "beta", 0);
  return step;
}

rg_value *rg_back_where(rg_backward *b, rg_value *condition, rg_value *yes, rg_value *no) {
  return rg_back_op(b, "Where", 3, condition, yes, no);
}

/* ---- axes ---- */

rg_value *rg_back_reduce(rg_backward *b, const char *op, rg_value *x, const int64_t *axes, int count, bool keep) {
  if (count == 0) return x;
  rg_value *out = rg_back_op(b, op, 2, x, rg_back_ints(b, axes, count));
  rg_back_set_int(b, out, "keepdims", keep);
  return out;
}

rg_value *rg_back_channel_sum(rg_backward *b, rg_value *x, int rank) {
  int64_t axes[RANGO_MAX_RANK];
  const int64_t batch = 0;
  for (int i = 2; i < rank; i++) axes[i - 2] = i;
  x = rg_back_reduce(b, "ReduceSum", x, axes, rank - 2, false);
  return rg_back_reduce(b, "ReduceSum", x, &batch, 1, false);
}

rg_value *rg_back_transpose(rg_backward *b, rg_value *x, const int64_t *perm, int rank) {
  rg_value *out = rg_back_op(b, "Transpose", 1, x);
  rg_back_set_ints(b, out, "perm", perm, rank);
  return out;
}

rg_value *rg_back_turned(rg_backward *b, rg_value *x, int rank) {
  int64_t perm[RANGO_MAX_RANK];
  size_t count = 0;
  const bool transposed = x && x->producer && rg_node_is(x->producer, "Transpose");
  const int64_t *before = transposed ? rg_node_ints(x->producer, "perm", &count) : NULL;
  for (int i = 0; i < rank; i++) perm[i] = i;
  perm[rank - 2] = rank - 1;
  perm[rank - 1] = rank - 2;
  if (before && count == (size_t)rank && memcmp(before, perm, count * sizeof *perm) == 0) return x->producer->inputs[0];
  return rg_back_transpose(b, x, perm, rank);
}

rg_value *rg_back_squeeze(rg_backward *b, const char *op, rg_value *x, const int64_t *axes, int count) {
  return count == 0 ? x : rg_back_op(b, op, 2, x, rg_back_ints(b, axes, count));
}

rg_value *rg_back_slice(rg_backward *b, rg_value *x, const int64_t *begin, const int64_t *end, const int64_t *axes,
                        const int64_t *steps, int count) {
  return rg_back_op(b, "Slice", 5, x, rg_back_ints(b, begin, count), rg_back_ints(b, end, count),
                    rg_back_ints(b, axes, count), rg_back_ints(b, steps, count));
}

rg_value *rg_back_append(rg_backward *b, rg_value *row, rg_value *x, int axis) {
  if (!row) {
    row = rg_back_op(b, "Concat", 1, x);
    rg_back_set_int(b, row, "axis", axis);
    return row;
  }
  if (b->status != RANGO_OK) return NULL;
  rg_node *node = row->producer;
  rg_node_move(node, b->before);
  if (failed(b, rg_node_set_input_count(node, node->input_count + 1))) return NULL;
  return failed(b, rg_node_set_input(node, node->input_count - 1, x)) ? NULL : row;
}

/* ---- shapes ---- */

rg_value *rg_back_shape(rg_backward *b, rg_value *value) {
  rg_node *before = b->before;
  b->before = value->producer ? value->producer->next : b->graph->first;
  rg_value *shape = rg_back_op(b, "Shape", 1, value);
  b->before = before;
  return shape;
}

rg_value *rg_back_reshape(rg_backward *b, rg_value *x, const int64_t *dims, int rank) {
  return rg_back_op(b, "Reshape", 2, x, rg_back_ints(b, dims, rank));
}

rg_value *rg_back_reshape_like(rg_backward *b, rg_value *x, rg_value *value) {
  const rg_fact *fact = rg_back_fact(b, value);
  int64_t dims[RANGO_MAX_RANK];
  int open = 0;
  bool empty = false;
  for (int i = 0; i < fact->rank; i++) {
    dims[i] = rg_size_is_known(fact->dims[i]) ? fact->dims[i] : -1;
    open += dims[i] < 0;
    empty |= dims[i] == 0;
  }
  if (open > 1 || empty) return rg_back_op(b, "Reshape", 2, x, rg_back_shape(b, value));
  return rg_back_reshape(b, x, dims, fact->rank);
}

rg_value *rg_back_zeros_like(rg_backward *b, rg_value *value) {
  const rg_fact *fact = rg_back_fact(b, value);
  rango_tensor zero;
  bool known = true;
  for (int i = 0; i < fact->rank; i++) known &= rg_size_is_known(fact->dims[i]);
  if (known) return rg_back_filled(b, fact->rank, fact->dims, 0);
  rg_value *out = rg_back_op(b, "ConstantOfShape", 1, rg_back_shape(b, value));
  if (b->status != RANGO_OK || failed(b, rg_tensor_init(&zero, b->type, &(rg_shape){1, {1}}))) return NULL;
  rg_tensor_set_double(&zero, 0, 0);
  return failed(b, rg_node_set_tensor(out->producer, "value", &zero)) ? NULL : out;
}
