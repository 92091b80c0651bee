/* Sequences and optionals. Elements are passed on by reference, never copied. */
#include "ops/compute.h"

#include <string.h>

/* ---- facts: of a sequence only the elements' type is said, for its tensors may differ in shape ---- */

static rango_status set_sequence(rg_infer *infer, const rg_fact *element) {
  rg_fact *sequence = infer->outputs[0], *inner;
  if (!sequence) return RANGO_OK;
  RG_TRY(rg_arena_calloc(infer->arena, 1, sizeof *inner, RG_OUT(&inner)));
  inner->rank = -1;
  if (element && element->kind == RG_KIND_TENSOR) rg_fact_set(inner, element->type, -1, NULL);
  sequence->kind = RG_KIND_SEQUENCE;
  sequence->inner = inner;
  return RANGO_OK;
}

static rango_status infer_construct(rg_infer *infer) {
  return set_sequence(infer, infer->input_count > 0 ? infer->inputs[0] : NULL);
}

static rango_status infer_empty(rg_infer *infer) {
  rg_fact element = {.kind = RG_KIND_TENSOR, .type = (rango_type)rg_node_int(infer->node, "dtype", RANGO_FLOAT32)};
  return set_sequence(infer, &element);
}

static rango_status infer_insert(rg_infer *infer) { return set_sequence(infer, infer->inputs[1]); }

static rango_status infer_same(rg_infer *infer) {
  const rg_fact *sequence = infer->inputs[0];
  return set_sequence(infer, sequence->kind == RG_KIND_SEQUENCE ? sequence->inner : NULL);
}

static rango_status infer_split(rg_infer *infer) { return set_sequence(infer, infer->inputs[0]); }

static rango_status infer_at(rg_infer *infer) {
  const rg_fact *sequence = infer->inputs[0];
  if (sequence->kind == RG_KIND_SEQUENCE && sequence->inner) *infer->outputs[0] = *sequence->inner;
  return RANGO_OK;
}

static rango_status infer_length(rg_infer *infer) {
  rg_fact_set(infer->outputs[0], RANGO_INT64, 0, NULL);
  return RANGO_OK;
}

static rango_status infer_joined(rg_infer *infer) {
  const rg_fact *sequence = infer->inputs[0];
  if (sequence->kind == RG_KIND_SEQUENCE && sequence->inner)
    rg_fact_set(infer->outputs[0], sequence->inner->type, -1, NULL);
  return RANGO_OK;
}

/* ---- compute ---- */

static rango_status need_sequence(const rg_exec *exec, const rg_val **out) {
  *out = exec->input_count > 0 ? exec->inputs[0] : NULL;
  if (*out && (*out)->kind == RG_KIND_SEQUENCE) return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no sequence");
}

/* Input `index` as a position among `count` entries; `fallback` when it is absent. */
static rango_status read_position(const rg_exec *exec, int index, int64_t count, int64_t fallback, int64_t *out) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  *out = fallback;
  if (!tensor) return RANGO_OK;
  if (!rg_type_is_integer(tensor->type) || rg_tensor_elements(tensor) != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the position must be one integer");
  *out = rg_tensor_get_i64(tensor, 0);
  if (*out < 0) *out += count;
  return RANGO_OK;
}

static rango_status check_position(const rg_exec *exec, int64_t position, int64_t count) {
  if (position >= 0 && position < count) return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "position %lld is out of range for %lld entries", (long long)position,
                      (long long)count);
}

/* An output sequence of `count` empty entries; *out NULL when nobody wants it. */
static rango_status make_sequence(rg_exec *exec, size_t count, rg_val **out) {
  RG_TRY(rg_exec_output_val(exec, 0, out));
  if (!*out) return RANGO_OK;
  RG_TRY(rg_calloc(count, sizeof *(*out)->items, RG_OUT(&(*out)->items)));
  (*out)->kind = RG_KIND_SEQUENCE;
  (*out)->count = count;
  return RANGO_OK;
}

static rango_status compute_construct(rg_exec *exec) {
  rg_val *out;
  RG_TRY(make_sequence(exec, (size_t)exec->input_count, &out));
  for (int i = 0; out && i < exec->input_count; i++) {
    if (!exec->inputs[i]) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is left out", i);
    RG_TRY(rg_val_view(&out->items[i], exec->inputs[i]));
  }
  return RANGO_OK;
}

static rango_status compute_empty(rg_exec *exec) {
  rg_val *out;
  return make_sequence(exec, 0, &out);
}

static rango_status compute_at(rg_exec *exec) {
  const rg_val *sequence;
  rg_val *out;
  int64_t at;
  RG_TRY(need_sequence(exec, &sequence));
  RG_TRY(read_position(exec, 1, (int64_t)sequence->count, -1, &at));
  RG_TRY(check_position(exec, at, (int64_t)sequence->count));
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  return out ? rg_val_view(out, &sequence->items[at]) : RANGO_OK;
}

static rango_status compute_length(rg_exec *exec) {
  const rg_val *sequence;
  rango_tensor *y;
  RG_TRY(need_sequence(exec, &sequence));
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &(rg_shape){0}, &y));
  if (y) *(int64_t *)y->data = (int64_t)sequence->count;
  return RANGO_OK;
}

static rango_status compute_insert(rg_exec *exec) {
  const rg_val *sequence;
  rg_val *out;
  int64_t at;
  RG_TRY(need_sequence(exec, &sequence));
  int64_t count = (int64_t)sequence->count;
  RG_TRY(read_position(exec, 2, count, count, &at));
  RG_TRY(check_position(exec, at, count + 1));
  if (!rg_exec_input(exec, 1)) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 1 is missing or no tensor");
  RG_TRY(make_sequence(exec, (size_t)count + 1, &out));
  for (int64_t i = 0; out && i <= count; i++)
    RG_TRY(rg_val_view(&out->items[i], i == at ? exec->inputs[1] : &sequence->items[i - (i > at)]));
  return RANGO_OK;
}

static rango_status compute_erase(rg_exec *exec) {
  const rg_val *sequence;
  rg_val *out;
  int64_t at;
  RG_TRY(need_sequence(exec, &sequence));
  int64_t count = (int64_t)sequence->count;
  RG_TRY(read_position(exec, 1, count, count - 1, &at));
  RG_TRY(check_position(exec, at, count));
  RG_TRY(make_sequence(exec, (size_t)count - 1, &out));
  for (int64_t i = 0; out && i < count - 1; i++) RG_TRY(rg_val_view(&out->items[i], &sequence->items[i + (i >= at)]));
  return RANGO_OK;
}

/* ---- ConcatFromSequence ---- */

typedef struct joined {
  rango_type type;
  rg_shape shape;
  int axis;
  bool new_axis;
} joined;

static rango_status join_shapes(const rg_exec *exec, const rg_val *sequence, joined *out) {
  out->new_axis = rg_node_int(exec->node, "new_axis", 0) != 0;
  for (size_t i = 0; i < sequence->count; i++) {
    const rango_tensor *x = &sequence->items[i].tensor;
    rg_shape *shape = &out->shape;
    if (sequence->items[i].kind != RG_KIND_TENSOR || x->type == RANGO_STRING || rango_type_bits(x->type) < 8)
      return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "entry %zu of the sequence can't be joined", i);
    if (i == 0) {
      *shape = x->shape;
      out->type = x->type;
      if (x->shape.rank + out->new_axis > RANGO_MAX_RANK ||
          !rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank + out->new_axis, &out->axis))
        return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", x->shape.rank);
      continue;
    }
    bool fits = x->type == out->type && x->shape.rank == shape->rank;
    for (int k = 0; fits && k < shape->rank; k++)
      fits = (k == out->axis && !out->new_axis) || x->shape.dims[k] == shape->dims[k];
    if (!fits) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "entry %zu differs from the first in type or shape", i);
    if (!out->new_axis && !rg_add_i64(shape->dims[out->axis], x->shape.dims[out->axis], &shape->dims[out->axis]))
      return rg_exec_fail(exec, RANGO_ERROR_LIMIT, "the output would be too large");
  }
  if (sequence->count == 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the sequence is empty");
  if (!out->new_axis) return RANGO_OK;
  memmove(out->shape.dims + out->axis + 1, out->shape.dims + out->axis,
          (size_t)(out->shape.rank++ - out->axis) * sizeof *out->shape.dims);
  out->shape.dims[out->axis] = (int64_t)sequence->count;
  return RANGO_OK;
}

static rango_status compute_joined(rg_exec *exec) {
  const rg_val *sequence;
  rango_tensor *y;
  joined join = {0};
  RG_TRY(need_sequence(exec, &sequence));
  RG_TRY(join_shapes(exec, sequence, &join));
  RG_TRY(rg_shape_count(&join.shape, &(int64_t){0}));
  RG_TRY(rg_exec_output(exec, 0, join.type, &join.shape, &y));
  if (!y) return RANGO_OK;
  size_t size = rango_type_bits(join.type) / 8;
  int64_t outer = rg_dims_product(&join.shape, 0, join.axis), at = 0;
  int64_t row = rg_dims_product(&join.shape, join.axis, join.shape.rank);
  for (size_t i = 0; i < sequence->count; i++) {
    const rango_tensor *x = &sequence->items[i].tensor;
    int64_t part = rg_dims_product(&x->shape, join.axis, x->shape.rank);
    for (int64_t o = 0; part > 0 && o < outer; o++)
      memcpy((char *)y->data + (size_t)(o * row + at) * size, (const char *)x->data + (size_t)(o * part) * size,
             (size_t)part * size);
    at += part;
  }
  return RANGO_OK;
}

/* ---- SplitToSequence ---- */

/* The parts' sizes: listed, or pieces of one size (the last may be smaller). */
static rango_status part_sizes(rg_exec *exec, int64_t size, const int64_t **sizes, int64_t *count) {
  const rango_tensor *split = rg_exec_input(exec, 1);
  int64_t piece = 1, *equal, sum = 0;
  RG_TRY(rg_exec_integers(exec, 1, sizes, count));
  if (split && split->shape.rank == 1) {
    for (int64_t i = 0; i < *count; i++)
      if ((*sizes)[i] < 0 || (*sizes)[i] > size - sum)
        return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the sizes given don't add up to %lld", (long long)size);
      else
        sum += (*sizes)[i];
    return sum == size ? RANGO_OK
                       : rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the sizes given add up to %lld, not %lld",
                                      (long long)sum, (long long)size);
  }
  if (split && *count == 1) piece = **sizes;
  if (piece < 1) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "parts of size %lld", (long long)piece);
  *count = size / piece + (size % piece != 0);
  RG_TRY(rg_scratch_array(exec, *count, sizeof *equal, RG_OUT(&equal)));
  for (int64_t i = 0; i < *count; i++) equal[i] = size - i * piece < piece ? size - i * piece : piece;
  *sizes = equal;
  return RANGO_OK;
}

static rango_status compute_split(rg_exec *exec) {
  const rango_tensor *x;
  const int64_t *sizes;
  rg_val *out;
  int64_t count, at = 0;
  int axis = 0;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  if (!rg_axis(rg_node_int(exec->node, "axis", 0), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "attribute axis is out of range for %d axes", x->shape.rank);
  if (rango_type_bits(x->type) < 8)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  RG_TRY(part_sizes(exec, x->shape.dims[axis], &sizes, &count));
  RG_TRY(make_sequence(exec, (size_t)count, &out));
  bool drop = !rg_exec_input(exec, 1) && rg_node_int(exec->node, "keepdims", 1) == 0;
  size_t size = rango_type_bits(x->type) / 8;
  int64_t outer = rg_dims_product(&x->shape, 0, axis), inner = rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  for (int64_t i = 0; out && i < count; i++) {
    rg_shape shape = x->shape;
    shape.dims[axis] = sizes[i];
    if (drop) memmove(shape.dims + axis, shape.dims + axis + 1, (size_t)(--shape.rank - axis) * sizeof *shape.dims);
    RG_TRY(rg_tensor_init(&out->items[i].tensor, x->type, &shape));
    out->items[i].kind = RG_KIND_TENSOR;
    size_t part = (size_t)(sizes[i] * inner) * size;
    for (int64_t o = 0; part > 0 && o < outer; o++)
      memcpy((char *)out->items[i].tensor.data + (size_t)o * part,
             (const char *)x->data + (size_t)((o * x->shape.dims[axis] + at) * inner) * size, part);
    at += sizes[i];
  }
  return RANGO_OK;
}

/* ---- optionals: at run time their value, or nothing ---- */

static rango_status infer_optional(rg_infer *infer) {
  rg_fact *inner;
  infer->outputs[0]->kind = RG_KIND_OPTIONAL;
  if (infer->input_count == 0 || !infer->inputs[0]) return RANGO_OK;
  RG_TRY(rg_arena_alloc(infer->arena, sizeof *inner, RG_OUT(&inner)));
  *inner = *infer->inputs[0];
  infer->outputs[0]->inner = inner;
  return RANGO_OK;
}

static rango_status infer_get(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  if (x->kind != RG_KIND_OPTIONAL)
    *infer->outputs[0] = *x;
  else if (x->inner)
    *infer->outputs[0] = *x->inner;
  return RANGO_OK;
}

static rango_status infer_has(rg_infer *infer) {
  rg_fact_set(infer->outputs[0], RANGO_BOOL, 0, NULL);
  return RANGO_OK;
}

static const rg_val *optional_value(const rg_exec *exec) {
  const rg_val *val = exec->input_count > 0 ? exec->inputs[0] : NULL;
  return val && val->kind != RG_KIND_NONE ? val : NULL;
}

static rango_status compute_optional(rg_exec *exec) {
  const rg_val *val = optional_value(exec);
  rg_val *out;
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  return out && val ? rg_val_view(out, val) : RANGO_OK;
}

static rango_status compute_get(rg_exec *exec) {
  if (!optional_value(exec)) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the optional is empty");
  return compute_optional(exec);
}

static rango_status compute_has(rg_exec *exec) {
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, RANGO_BOOL, &(rg_shape){0}, &y));
  if (y) *(uint8_t *)y->data = optional_value(exec) != NULL;
  return RANGO_OK;
}

#define ENTRY(name, since, min, max, infer, compute)                                                                   \
  { "", name, since, RG_OPSET_MAX, min, max, 1, 1, 0, NULL, infer, compute, NULL }

static const rg_op ops[] = {
    ENTRY("ConcatFromSequence", 11, 1, 1, infer_joined, compute_joined),
    ENTRY("Optional", 15, 0, 1, infer_optional, compute_optional),
    ENTRY("OptionalGetElement", 15, 1, 1, infer_get, compute_get),
    ENTRY("OptionalHasElement", 15, 0, 1, infer_has, compute_has),
    ENTRY("SequenceAt", 11, 2, 2, infer_at, compute_at),
    ENTRY("SequenceConstruct", 11, 1, -1, infer_construct, compute_construct),
    ENTRY("SequenceEmpty", 11, 0, 0, infer_empty, compute_empty),
    ENTRY("SequenceErase", 11, 1, 2, infer_same, compute_erase),
    ENTRY("SequenceInsert", 11, 2, 3, infer_insert, compute_insert),
    ENTRY("SequenceLength", 11, 1, 1, infer_length, compute_length),
    ENTRY("SplitToSequence", 11, 1, 2, infer_split, compute_split),
};

RG_OPS_EXPORT(sequence, ops);
