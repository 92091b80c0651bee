/* Control flow: If, Loop, Scan. Bodies are inferred and run by the host. */
#include "ops/compute.h"

#include <string.h>

#define MAX_TRIPS  100000000 /* a body that never stops is cut off here */
#define MAX_ROUNDS 8         /* of inference until a loop's shapes are stable */

static rango_status check_bodies(const rg_node *node, const char *first, const char *second) {
  if (!rg_node_graph(node, first) || (second && !rg_node_graph(node, second)))
    return rg_fail(RANGO_ERROR_FORMAT, "%s: a body graph is missing", rg_node_text(node));
  return RANGO_OK;
}

/* ---- facts ---- */

/* What holds for both `a` and `b`, in *a; *changed when it is less than what *a said. Sizes that differ are unknown. */
static void merge_fact(rg_fact *a, const rg_fact *b, bool *changed) {
  rg_fact before = *a;
  a->known = NULL;
  a->known_count = 0;
  a->constant = NULL;
  if (a->kind != b->kind) a->kind = RG_KIND_NONE;
  if (a->type != b->type) a->type = RANGO_UNDEFINED;
  if (a->rank != b->rank) a->rank = -1;
  bool sizes_changed = false;
  for (int i = 0; i < a->rank; i++) {
    if (a->dims[i] == b->dims[i] || a->dims[i] == RG_SIZE_UNKNOWN) continue;
    a->dims[i] = RG_SIZE_UNKNOWN;
    sizes_changed = true;
  }
  *changed = *changed || sizes_changed || a->kind != before.kind || a->type != before.type || a->rank != before.rank;
}

/* The declared rank of a body's scalar input: some exporters write [1] for a scalar. */
static int scalar_rank(const rg_graph *body, size_t input) {
  const rg_value *value = input < body->inputs.count ? body->inputs.items[input] : NULL;
  return value && value->type.kind == RG_KIND_TENSOR && value->type.rank == 1 ? 1 : 0;
}

static void scalar_fact(rg_fact *fact, rango_type type, int rank) {
  memset(fact, 0, sizeof *fact);
  rg_fact_set(fact, type, rank, (int64_t[]){1});
}

/* ---- If ---- */

static rango_status check_if(const rg_node *node) { return check_bodies(node, "then_branch", "else_branch"); }

static rango_status infer_if(rg_infer *infer) {
  rg_graph *branches[2] = {rg_node_graph(infer->node, "else_branch"), rg_node_graph(infer->node, "then_branch")};
  int64_t count;
  const int64_t *condition = rg_infer_known(infer, 0, &count);
  bool decided = condition && count == 1 && rg_size_is_known(condition[0]);
  rg_fact *facts[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++) {
    if (decided && i != (condition[0] != 0)) continue;
    if (branches[i]->outputs.count < (size_t)infer->output_count)
      return rg_infer_fail(infer, "a branch has %zu outputs, the node %d", branches[i]->outputs.count,
                           infer->output_count);
    RG_TRY(infer->subgraph(infer, branches[i], NULL, 0, &facts[i]));
  }
  for (int i = 0; i < infer->output_count; i++) {
    if (!infer->outputs[i]) continue;
    const rg_fact *only = !facts[0] ? &facts[1][i] : &facts[0][i];
    bool changed = false;
    *infer->outputs[i] = *only;
    if (facts[0] && facts[1]) merge_fact(infer->outputs[i], &facts[1][i], &changed);
  }
  return RANGO_OK;
}

/* Gives a body's output to the host as output `index` of the node; *val is taken over. */
static rango_status give(rg_exec *exec, int index, rg_val *val) {
  rg_val *out;
  if (!rg_exec_wants(exec, index)) return RANGO_OK;
  RG_TRY(rg_exec_output_val(exec, index, &out));
  if (val->kind == RG_KIND_TENSOR && !val->tensor.buffer) return rg_val_view(out, val);
  *out = *val;
  memset(val, 0, sizeof *val);
  return RANGO_OK;
}

static void clear_all(rg_val *vals, size_t count) {
  for (size_t i = 0; i < count; i++) rg_val_clear(&vals[i]);
}

static rango_status zeroed_vals(rg_exec *exec, size_t count, rg_val **out) {
  RG_TRY(rg_scratch_array(exec, (int64_t)count, sizeof **out, RG_OUT(out)));
  memset(*out, 0, count * sizeof **out);
  return RANGO_OK;
}

/* A bool tensor of one element. */
static rango_status read_condition(const rg_exec *exec, const rg_val *val, bool *out) {
  if (!val || val->kind != RG_KIND_TENSOR || val->tensor.type != RANGO_BOOL || rg_tensor_elements(&val->tensor) != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the condition must be a bool tensor of one element");
  *out = *(const uint8_t *)val->tensor.data != 0;
  return RANGO_OK;
}

static rango_status compute_if(rg_exec *exec) {
  bool condition = false;
  RG_TRY(read_condition(exec, exec->inputs[0], &condition));
  const rg_graph *body = rg_node_graph(exec->node, condition ? "then_branch" : "else_branch");
  size_t count = body->outputs.count;
  if (count < (size_t)exec->output_count)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the branch has %zu outputs", count);
  rg_val *vals;
  rango_status status = RANGO_OK;
  RG_TRY(zeroed_vals(exec, count, &vals));
  RG_TRY_DONE(rg_exec_subgraph(exec, body, NULL, 0, vals, count));
  for (int i = 0; i < exec->output_count; i++) RG_TRY_DONE(give(exec, i, &vals[i]));
done:
  clear_all(vals, count);
  return status;
}

/* ---- outputs collected over iterations ---- */

typedef struct collector {
  rango_type type;
  rg_shape slice; /* of one iteration */
  char *data;     /* [count][slice] */
  size_t slice_bytes, bytes, capacity;
  int64_t count;
} collector;

static rango_status collect(const rg_exec *exec, collector *self, const rg_val *val) {
  if (val->kind != RG_KIND_TENSOR || val->tensor.type == RANGO_STRING || rango_type_bits(val->tensor.type) < 8)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "a scan output that is no tensor of numbers");
  const rango_tensor *tensor = &val->tensor;
  if (self->count == 0) {
    self->type = tensor->type;
    self->slice = tensor->shape;
    self->slice_bytes = (size_t)rg_tensor_elements(tensor) * (rango_type_bits(tensor->type) / 8);
  } else if (self->type != tensor->type || !rg_shape_equal(&self->slice, &tensor->shape)) {
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "a scan output changes its type or shape between iterations");
  }
  if (self->capacity - self->bytes < self->slice_bytes) {
    size_t needed;
    void *data = self->data;
    if (!rg_add_size(self->bytes, self->slice_bytes, &needed) || !rg_mul_size(needed, 2, &needed))
      return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the scan outputs are too large");
    RG_TRY(rg_realloc(&data, needed));
    self->data = data;
    self->capacity = needed;
  }
  if (self->slice_bytes) memcpy(self->data + self->bytes, tensor->data, self->slice_bytes);
  self->bytes += self->slice_bytes;
  self->count++;
  return RANGO_OK;
}

/* Type and shape of an iteration's output where there was none: as the body declares it, sizes left open 0. */
static rango_status declared_slice(const rg_exec *exec, collector *self, const rg_value *value) {
  const rg_type_info *type = &value->type;
  if (type->kind != RG_KIND_TENSOR || type->type == RANGO_UNDEFINED || type->rank >= RANGO_MAX_RANK)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "no iteration, and the body doesn't declare its scan output");
  self->type = type->type;
  self->slice.rank = type->rank < 0 ? 0 : type->rank;
  for (int i = 0; i < self->slice.rank; i++)
    self->slice.dims[i] = type->dims[i] > 0 && rg_size_is_known(type->dims[i]) ? type->dims[i] : 0;
  return RANGO_OK;
}

/* Writes output `index`: the slices stacked along a new axis, the last first when `reverse`. */
static rango_status finish_collector(rg_exec *exec, int index, const collector *self, int64_t axis_wanted,
                                     bool reverse) {
  int axis;
  rg_shape shape = {.rank = self->slice.rank + 1};
  if (shape.rank > RANGO_MAX_RANK || !rg_axis(axis_wanted, shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "a scan output's axis is out of range");
  for (int i = 0, from = 0; i < shape.rank; i++) shape.dims[i] = i == axis ? self->count : self->slice.dims[from++];
  rango_tensor *out;
  RG_TRY(rg_exec_output(exec, index, self->type, &shape, &out));
  if (!out || self->bytes == 0) return RANGO_OK;
  size_t before = (size_t)rg_dims_product(&shape, 0, axis), run = self->slice_bytes / before;
  for (size_t t = 0; t < (size_t)self->count; t++) {
    size_t to = reverse ? (size_t)self->count - 1 - t : t;
    for (size_t b = 0; b < before; b++)
      memcpy((char *)out->data + (b * (size_t)self->count + to) * run, self->data + t * self->slice_bytes + b * run,
             run);
  }
  return RANGO_OK;
}

/* ---- Loop ---- */

static rango_status check_loop(const rg_node *node) { return check_bodies(node, "body", NULL); }

/* Infers the body until the carried facts, which start with what the inputs say, hold for every iteration. `leading`
 * body inputs come before the carried ones and `trailing` after; outputs likewise carried from `first_output` on. */
typedef struct carried {
  const rg_graph *body;
  const rg_fact **inputs; /* [body->inputs.count] */
  rg_fact *facts;         /* [count]: of the carried values */
  size_t first_input, first_output, count;
} carried;

static rango_status infer_carried(rg_infer *infer, carried *self, rg_fact **outputs) {
  for (size_t i = 0; i < self->count; i++) self->inputs[self->first_input + i] = &self->facts[i];
  for (int round = 0;; round++) {
    bool changed = false;
    RG_TRY(infer->subgraph(infer, self->body, self->inputs, self->body->inputs.count, outputs));
    for (size_t i = 0; i < self->count; i++) {
      merge_fact(&self->facts[i], &(*outputs)[self->first_output + i], &changed);
      if (round >= MAX_ROUNDS) self->facts[i].rank = -1;
    }
    if (!changed || round > MAX_ROUNDS) return RANGO_OK;
  }
}

static rango_status carried_create(rg_infer *infer, const rg_graph *body, size_t first_input, size_t first_output,
                                   size_t count, int first_node_input, carried *self) {
  *self = (carried){.body = body, .first_input = first_input, .first_output = first_output, .count = count};
  if (body->inputs.count < first_input + count || body->outputs.count < first_output + count)
    return rg_infer_fail(infer, "the body has too few inputs or outputs");
  RG_TRY(rg_arena_calloc(infer->arena, body->inputs.count + 1, sizeof *self->inputs, RG_OUT(&self->inputs)));
  RG_TRY(rg_arena_calloc(infer->arena, count + 1, sizeof *self->facts, RG_OUT(&self->facts)));
  for (size_t i = 0; i < count; i++) {
    const rg_fact *fact = infer->inputs[first_node_input + (int)i];
    if (!fact) return rg_infer_fail(infer, "input %d is missing", first_node_input + (int)i);
    self->facts[i] = *fact;
    self->facts[i].known = NULL;
    self->facts[i].known_count = 0;
    self->facts[i].constant = NULL;
  }
  return RANGO_OK;
}

/* The fact of a scan output: the body's with a new axis of size `length`. */
static void stacked_fact(const rg_fact *slice, int64_t axis_wanted, int64_t length, rg_fact *out) {
  int64_t dims[RANGO_MAX_RANK];
  int rank = slice->rank + 1, axis;
  if (slice->rank < 0 || rank > RANGO_MAX_RANK || !rg_axis(axis_wanted, rank, &axis)) {
    rg_fact_set(out, slice->type, -1, NULL);
    return;
  }
  for (int i = 0, from = 0; i < rank; i++) dims[i] = i == axis ? length : slice->dims[from++];
  rg_fact_set(out, slice->type, rank, dims);
}

static rango_status infer_loop(rg_infer *infer) {
  const rg_graph *body = rg_node_graph(infer->node, "body");
  size_t count = infer->input_count > 2 ? (size_t)infer->input_count - 2 : 0;
  carried self;
  rg_fact *outputs, iteration, condition;
  RG_TRY(carried_create(infer, body, 2, 1, count, 2, &self));
  if (body->inputs.count != 2 + count || body->outputs.count < (size_t)infer->output_count + 1)
    return rg_infer_fail(infer, "the body's inputs or outputs don't fit the node's");
  scalar_fact(&iteration, RANGO_INT64, scalar_rank(body, 0));
  scalar_fact(&condition, RANGO_BOOL, scalar_rank(body, 1));
  self.inputs[0] = &iteration;
  self.inputs[1] = &condition;
  RG_TRY(infer_carried(infer, &self, &outputs));
  int64_t trips = rg_infer_new_symbol(infer);
  for (int i = 0; i < infer->output_count; i++) {
    if (!infer->outputs[i]) continue;
    if ((size_t)i < count)
      *infer->outputs[i] = self.facts[i];
    else
      stacked_fact(&outputs[1 + i], 0, trips, infer->outputs[i]);
  }
  return RANGO_OK;
}

static rango_status scalar_val(rango_type type, int rank, int64_t value, rg_val *out) {
  rg_shape shape = {.rank = rank, .dims = {1}};
  RG_TRY(rg_tensor_init(&out->tensor, type, &shape));
  out->kind = RG_KIND_TENSOR;
  if (type == RANGO_BOOL)
    *(uint8_t *)out->tensor.data = value != 0;
  else
    *(int64_t *)out->tensor.data = value;
  return RANGO_OK;
}

/* A loop being run: values[0 … lead) are the body's own (iteration and condition, or scan slices), then the carried. */
typedef struct loop {
  rg_exec *exec;
  const rg_graph *body;
  size_t input_count, output_count, carried, scans;
  rg_val *values, *outputs; /* [input_count], [output_count] */
  const rg_val **pointers;  /* [input_count], to values */
  collector *collectors;    /* [scans] */
} loop;

static rango_status loop_create(rg_exec *exec, const rg_graph *body, size_t carried_count, size_t scans, loop *self) {
  *self = (loop){.exec = exec,
                 .body = body,
                 .input_count = body->inputs.count,
                 .output_count = body->outputs.count,
                 .carried = carried_count,
                 .scans = scans};
  RG_TRY(zeroed_vals(exec, self->input_count, &self->values));
  RG_TRY(zeroed_vals(exec, self->output_count, &self->outputs));
  RG_TRY(rg_scratch_array(exec, (int64_t)self->input_count, sizeof *self->pointers, RG_OUT(&self->pointers)));
  RG_TRY(rg_scratch_array(exec, (int64_t)scans, sizeof *self->collectors, RG_OUT(&self->collectors)));
  memset(self->collectors, 0, scans * sizeof *self->collectors);
  for (size_t i = 0; i < self->input_count; i++) self->pointers[i] = &self->values[i];
  return RANGO_OK;
}

static void loop_clear(loop *self) {
  clear_all(self->values, self->input_count);
  clear_all(self->outputs, self->output_count);
  for (size_t i = 0; i < self->scans; i++) rg_free(self->collectors[i].data);
}

/* Runs the body once; carried outputs become the next carried inputs, scan outputs are collected. */
static rango_status loop_step(loop *self, size_t first_input, size_t first_output) {
  RG_TRY(
      rg_exec_subgraph(self->exec, self->body, self->pointers, self->input_count, self->outputs, self->output_count));
  for (size_t i = 0; i < self->carried; i++) {
    rg_val *to = &self->values[first_input + i], *from = &self->outputs[first_output + i], next = {0};
    if (from->kind == RG_KIND_TENSOR && !from->tensor.buffer) {
      RG_TRY(rg_val_view(&next, from)); /* before `to` goes: `from` may lie in it */
    } else {
      next = *from;
      memset(from, 0, sizeof *from);
    }
    rg_val_clear(to);
    *to = next;
  }
  for (size_t i = 0; i < self->scans; i++)
    RG_TRY(collect(self->exec, &self->collectors[i], &self->outputs[first_output + self->carried + i]));
  return RANGO_OK;
}

static rango_status take_carried(loop *self, size_t first_input, int first_node_input) {
  for (size_t i = 0; i < self->carried; i++) {
    const rg_val *from = self->exec->inputs[first_node_input + (int)i];
    if (!from) return rg_exec_fail(self->exec, RANGO_ERROR_ARGUMENT, "input %d is missing", first_node_input + (int)i);
    RG_TRY(rg_val_view(&self->values[first_input + i], from));
  }
  return RANGO_OK;
}

static rango_status run_loop(loop *self, int64_t trips, bool go_on) {
  rg_exec *exec = self->exec;
  int iteration_rank = scalar_rank(self->body, 0), condition_rank = scalar_rank(self->body, 1);
  RG_TRY(take_carried(self, 2, 2));
  for (int64_t t = 0; t < trips && go_on; t++) {
    if (t == MAX_TRIPS) return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the loop goes on after %d iterations", MAX_TRIPS);
    rg_val_clear(&self->values[0]);
    rg_val_clear(&self->values[1]);
    RG_TRY(scalar_val(RANGO_INT64, iteration_rank, t, &self->values[0]));
    RG_TRY(scalar_val(RANGO_BOOL, condition_rank, 1, &self->values[1]));
    RG_TRY(loop_step(self, 2, 1));
    RG_TRY(read_condition(exec, &self->outputs[0], &go_on));
    clear_all(self->outputs, self->output_count);
  }
  for (int i = 0; i < exec->output_count; i++) {
    if (!rg_exec_wants(exec, i)) continue;
    if ((size_t)i < self->carried) {
      RG_TRY(give(exec, i, &self->values[2 + i]));
      continue;
    }
    collector *scan = &self->collectors[(size_t)i - self->carried];
    if (scan->count == 0) RG_TRY(declared_slice(exec, scan, self->body->outputs.items[1 + i]));
    RG_TRY(finish_collector(exec, i, scan, 0, false));
  }
  return RANGO_OK;
}

static rango_status compute_loop(rg_exec *exec) {
  const rg_graph *body = rg_node_graph(exec->node, "body");
  size_t count = exec->input_count > 2 ? (size_t)exec->input_count - 2 : 0;
  if (body->inputs.count != 2 + count || body->outputs.count < 1 + count ||
      body->outputs.count < 1 + (size_t)exec->output_count)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the body's inputs or outputs don't fit the node's");
  const int64_t *limit;
  int64_t limit_count;
  bool go_on = true;
  RG_TRY(rg_exec_integers(exec, 0, &limit, &limit_count));
  if (limit && limit_count != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the trip count must have one element");
  if (exec->input_count > 1 && exec->inputs[1]) RG_TRY(read_condition(exec, exec->inputs[1], &go_on));
  loop self;
  RG_TRY(loop_create(exec, body, count, body->outputs.count - 1 - count, &self));
  rango_status status = run_loop(&self, limit ? limit[0] : INT64_MAX, go_on);
  loop_clear(&self);
  return status;
}

/* ---- Scan (opset 9 on) ---- */

static rango_status check_scan(const rg_node *node) {
  RG_TRY(check_bodies(node, "body", NULL));
  int64_t scans = rg_node_int(node, "num_scan_inputs", 0);
  if (scans < 1 || scans > node->input_count)
    return rg_fail(RANGO_ERROR_FORMAT, "%s: num_scan_inputs is %lld", rg_node_text(node), (long long)scans);
  return RANGO_OK;
}

/* Entry `index` of a list attribute, `fallback` where it isn't given. */
static int64_t list_entry(const rg_node *node, const char *name, size_t index, int64_t fallback) {
  size_t count;
  const int64_t *values = rg_node_ints(node, name, &count);
  return values && index < count ? values[index] : fallback;
}

static rango_status infer_scan(rg_infer *infer) {
  const rg_graph *body = rg_node_graph(infer->node, "body");
  size_t scans = (size_t)rg_node_int(infer->node, "num_scan_inputs", 0), count = (size_t)infer->input_count - scans;
  int64_t length = RG_SIZE_UNKNOWN;
  carried self;
  rg_fact *slices, *outputs;
  RG_TRY(carried_create(infer, body, 0, 0, count, 0, &self));
  if (body->inputs.count != count + scans || body->outputs.count < (size_t)infer->output_count)
    return rg_infer_fail(infer, "the body's inputs or outputs don't fit the node's");
  RG_TRY(rg_arena_calloc(infer->arena, scans, sizeof *slices, RG_OUT(&slices)));
  for (size_t i = 0; i < scans; i++) {
    const rg_fact *x = infer->inputs[count + i];
    int axis;
    int64_t dims[RANGO_MAX_RANK];
    if (!x) return rg_infer_fail(infer, "input %zu is missing", count + i);
    if (x->rank >= 0 && !rg_axis(list_entry(infer->node, "scan_input_axes", i, 0), x->rank, &axis))
      return rg_infer_fail(infer, "scan_input_axes is out of range");
    for (int from = 0, to = 0; from < x->rank; from++)
      if (from != axis) dims[to++] = x->dims[from];
    if (x->rank >= 0 && !rg_size_is_known(length)) length = x->dims[axis];
    rg_fact_set(&slices[i], x->type, x->rank < 0 ? -1 : x->rank - 1, dims);
    self.inputs[count + i] = &slices[i];
  }
  RG_TRY(infer_carried(infer, &self, &outputs));
  for (int i = 0; i < infer->output_count; i++) {
    if (!infer->outputs[i]) continue;
    if ((size_t)i < count)
      *infer->outputs[i] = self.facts[i];
    else
      stacked_fact(&outputs[i], list_entry(infer->node, "scan_output_axes", (size_t)i - count, 0), length,
                   infer->outputs[i]);
  }
  return RANGO_OK;
}

/* Slice `t` of a scan input along `axis`, as a tensor of its own. */
static rango_status scan_slice(const rg_exec *exec, const rango_tensor *x, int axis, int64_t t, rg_val *out) {
  rg_shape shape = {.rank = x->shape.rank - 1};
  for (int from = 0, to = 0; from < x->shape.rank; from++)
    if (from != axis) shape.dims[to++] = x->shape.dims[from];
  size_t size = rango_type_bits(x->type) / 8;
  if (size == 0)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "a scan input of type %s", rango_type_name(x->type));
  RG_TRY(rg_tensor_init(&out->tensor, x->type, &shape));
  out->kind = RG_KIND_TENSOR;
  size_t before = (size_t)rg_dims_product(&x->shape, 0, axis), length = (size_t)x->shape.dims[axis];
  size_t run = (size_t)rg_dims_product(&x->shape, axis + 1, x->shape.rank) * size;
  for (size_t b = 0; b < before && run; b++)
    memcpy((char *)out->tensor.data + b * run, (const char *)x->data + (b * length + (size_t)t) * run, run);
  return RANGO_OK;
}

/* Axes of the scan inputs, and their common length. */
static rango_status scan_length(const rg_exec *exec, size_t first, size_t scans, int *axes, int64_t *length) {
  *length = -1;
  for (size_t i = 0; i < scans; i++) {
    const rango_tensor *x;
    RG_TRY(rg_need_tensor(exec, (int)(first + i), 1, &x));
    if (!rg_axis(list_entry(exec->node, "scan_input_axes", i, 0), x->shape.rank, &axes[i]))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "scan_input_axes is out of range");
    if (*length >= 0 && *length != x->shape.dims[axes[i]])
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the scan inputs have different lengths");
    *length = x->shape.dims[axes[i]];
  }
  return RANGO_OK;
}

static rango_status run_scan(loop *self, size_t scan_inputs, const int *axes, int64_t length) {
  rg_exec *exec = self->exec;
  size_t count = self->carried;
  RG_TRY(take_carried(self, 0, 0));
  for (int64_t t = 0; t < length; t++) {
    for (size_t i = 0; i < scan_inputs; i++) {
      bool reverse = list_entry(exec->node, "scan_input_directions", i, 0) != 0;
      rg_val_clear(&self->values[count + i]);
      RG_TRY(scan_slice(exec, rg_exec_input(exec, (int)(count + i)), axes[i], reverse ? length - 1 - t : t,
                        &self->values[count + i]));
    }
    RG_TRY(loop_step(self, 0, 0));
    clear_all(self->outputs, self->output_count);
  }
  for (int i = 0; i < exec->output_count; i++) {
    if (!rg_exec_wants(exec, i)) continue;
    if ((size_t)i < count) {
      RG_TRY(give(exec, i, &self->values[i]));
      continue;
    }
    size_t scan = (size_t)i - count;
    if (length == 0) RG_TRY(declared_slice(exec, &self->collectors[scan], self->body->outputs.items[i]));
    RG_TRY(finish_collector(exec, i, &self->collectors[scan], list_entry(exec->node, "scan_output_axes", scan, 0),
                            list_entry(exec->node, "scan_output_directions", scan, 0) != 0));
  }
  return RANGO_OK;
}

static rango_status compute_scan(rg_exec *exec) {
  const rg_graph *body = rg_node_graph(exec->node, "body");
  size_t scans = (size_t)rg_node_int(exec->node, "num_scan_inputs", 0), count = (size_t)exec->input_count - scans;
  if (scans > (size_t)exec->input_count || body->inputs.count != (size_t)exec->input_count ||
      body->outputs.count < count || body->outputs.count < (size_t)exec->output_count)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the body's inputs or outputs don't fit the node's");
  int *axes;
  int64_t length;
  RG_TRY(rg_scratch_array(exec, (int64_t)scans, sizeof *axes, RG_OUT(&axes)));
  RG_TRY(scan_length(exec, count, scans, axes, &length));
  loop self;
  RG_TRY(loop_create(exec, body, count, body->outputs.count - count, &self));
  rango_status status = run_scan(&self, scans, axes, length);
  loop_clear(&self);
  return status;
}

#define MAX RG_OPSET_MAX
static const rg_op ops[] = {
    {"", "If", 1, MAX, 1, 1, 1, -1, RG_OP_SUBGRAPH, check_if, infer_if, compute_if, NULL},
    {"", "Loop", 1, MAX, 0, -1, 1, -1, RG_OP_SUBGRAPH, check_loop, infer_loop, compute_loop, NULL},
    {"", "Scan", 9, MAX, 1, -1, 1, -1, RG_OP_SUBGRAPH, check_scan, infer_scan, compute_scan, NULL},
};
RG_OPS_EXPORT(control, ops);
