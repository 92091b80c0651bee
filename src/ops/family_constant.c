/* Tensors made from attributes and shapes: Constant, ConstantOfShape, Shape, Size, Range, EyeLike. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <math.h>
#include <string.h>

/* ---- Constant: one of the attributes value, value_int, value_ints, value_float, ... ---- */

static const char *const forms[] = {"value",        "value_int",    "value_ints",   "value_float",
                                    "value_floats", "value_string", "value_strings"};

static const rg_attr *constant_form(const rg_node *node) {
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const rg_attr *attr = rg_node_attr(node, forms[i]);
    if (attr) return attr;
  }
  return NULL;
}

static rango_status check_constant(const rg_node *node) {
  const rg_attr *attr = constant_form(node);
  if (attr && (attr->reference || attr->kind == RG_ATTR_TENSOR || attr->kind == RG_ATTR_INT ||
               attr->kind == RG_ATTR_INTS || attr->kind == RG_ATTR_FLOAT || attr->kind == RG_ATTR_FLOATS ||
               attr->kind == RG_ATTR_STRING || attr->kind == RG_ATTR_STRINGS))
    return RANGO_OK;
  RG_FAIL(RANGO_ERROR_UNSUPPORTED, "%s: has no dense value%s", rg_node_text(node),
          rg_node_attr(node, "sparse_value") ? " (sparse_value is not implemented)" : "");
}

static rango_type form_type(const rg_attr *attr) {
  switch (attr->kind) {
  case RG_ATTR_INT:
  case RG_ATTR_INTS:
    return RANGO_INT64;
  case RG_ATTR_FLOAT:
  case RG_ATTR_FLOATS:
    return RANGO_FLOAT32;
  default:
    return RANGO_STRING;
  }
}

static rg_shape form_shape(const rg_attr *attr) {
  bool is_list = attr->kind == RG_ATTR_INTS || attr->kind == RG_ATTR_FLOATS || attr->kind == RG_ATTR_STRINGS;
  return (rg_shape){is_list, {(int64_t)attr->count}};
}

static rango_status infer_constant(rg_infer *infer) {
  const rg_attr *attr = constant_form(infer->node);
  if (!attr || attr->reference || !infer->outputs[0]) return RANGO_OK;
  if (attr->kind == RG_ATTR_TENSOR) {
    rg_fact_from_tensor(infer->outputs[0], attr->tensor);
    return RANGO_OK;
  }
  rg_shape shape = form_shape(attr);
  rg_fact_set(infer->outputs[0], form_type(attr), shape.rank, shape.dims);
  if (attr->kind == RG_ATTR_INT && rg_size_is_known(attr->i)) return rg_infer_set_known(infer, 0, &attr->i, 1);
  if (attr->kind != RG_ATTR_INTS) return RANGO_OK;
  for (size_t i = 0; i < attr->count; i++)
    if (!rg_size_is_known(attr->ints[i])) return RANGO_OK;
  return rg_infer_set_known(infer, 0, attr->ints, (int64_t)attr->count);
}

static rango_status constant_strings(rg_exec *exec, const rg_attr *attr) {
  rg_val *out;
  rg_shape shape = form_shape(attr);
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  if (!out) return RANGO_OK;
  out->kind = RG_KIND_TENSOR;
  if (attr->kind == RG_ATTR_TENSOR)
    rg_tensor_init_view(&out->tensor, attr->tensor);
  else
    return rg_tensor_init_strings(&out->tensor, &shape, attr->kind == RG_ATTR_STRING ? &attr->s : attr->strings);
  return RANGO_OK;
}

static rango_status compute_constant(rg_exec *exec) {
  const rg_attr *attr = constant_form(exec->node);
  rango_tensor *y;
  if (!attr || attr->reference) return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "has no dense value");
  bool is_tensor = attr->kind == RG_ATTR_TENSOR;
  rango_type type = is_tensor ? attr->tensor->type : form_type(attr);
  rg_shape shape = is_tensor ? attr->tensor->shape : form_shape(attr);
  if (type == RANGO_STRING) return constant_strings(exec, attr);
  RG_TRY(rg_exec_output(exec, 0, type, &shape, &y));
  if (!y) return RANGO_OK;
  const void *from = is_tensor                      ? attr->tensor->data
                     : attr->kind == RG_ATTR_INT    ? (const void *)&attr->i
                     : attr->kind == RG_ATTR_FLOAT  ? (const void *)&attr->f
                     : attr->kind == RG_ATTR_FLOATS ? (const void *)attr->floats
                                                    : (const void *)attr->ints;
  if (y->bytes > 0) memcpy(y->data, from, y->bytes);
  return RANGO_OK;
}

/* ---- ConstantOfShape: filled with the attribute value's one element, or float 0 ---- */

static rango_status check_fill(const rg_node *node) {
  const rg_attr *attr = rg_node_attr(node, "value");
  if (!attr || (attr->kind == RG_ATTR_TENSOR && attr->tensor && rg_tensor_elements(attr->tensor) == 1)) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute value must be a tensor of one element", rg_node_text(node));
}

static const rango_tensor *fill_value(const rg_node *node) {
  const rg_attr *attr = rg_node_attr(node, "value");
  return attr && attr->kind == RG_ATTR_TENSOR ? attr->tensor : NULL;
}

static rango_status infer_fill(rg_infer *infer) {
  const rango_tensor *value = fill_value(infer->node);
  rango_type type = value ? value->type : RANGO_FLOAT32;
  const rg_fact *shape = infer->inputs[0];
  int64_t count, total = 1, values[RG_KNOWN_MAX];
  const int64_t *dims = rg_infer_known(infer, 0, &count);
  if (!dims || count > RANGO_MAX_RANK) {
    bool sized = shape->rank == 1 && rg_size_is_known(shape->dims[0]) && shape->dims[0] <= RANGO_MAX_RANK;
    rg_fact_set(infer->outputs[0], type, sized ? (int)shape->dims[0] : -1, NULL);
    return RANGO_OK;
  }
  rg_fact_set(infer->outputs[0], type, (int)count, dims);
  for (int64_t i = 0; i < count; i++) total = rg_size_mul(total, dims[i]);
  if (!value || !(rg_type_is_integer(type) || type == RANGO_BOOL)) return RANGO_OK;
  if (!rg_size_is_known(total) || total < 0 || total > RG_KNOWN_MAX) return RANGO_OK;
  int64_t element = rg_tensor_get_i64(value, 0);
  for (int64_t i = 0; i < total; i++) values[i] = rg_size_is_known(element) ? element : RG_SIZE_UNKNOWN;
  return rg_infer_set_known(infer, 0, values, total);
}

static rango_status compute_fill(rg_exec *exec) {
  const rango_tensor *value = fill_value(exec->node);
  rango_tensor *y;
  rg_shape shape;
  int64_t dims[RANGO_MAX_RANK], elements;
  RG_TRY(rg_exec_axes(exec, NULL, 0, dims, &shape.rank));
  if (shape.rank < 0) shape.rank = 0;
  memcpy(shape.dims, dims, (size_t)shape.rank * sizeof *dims);
  if (rg_shape_count(&shape, &elements) != RANGO_OK)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the shape has negative or too large entries");
  rango_type type = value ? value->type : RANGO_FLOAT32;
  size_t size = rg_element_bytes(type);
  if (size == 0) return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "value of type %s", rango_type_name(type));
  RG_TRY(rg_exec_output(exec, 0, type, &shape, &y));
  if (!y) return RANGO_OK;
  static const char zero[16] = {0};
  int64_t once[RANGO_MAX_RANK] = {0}, strides[RANGO_MAX_RANK];
  rg_row_major_strides(&shape, strides);
  rg_copy_strided(&shape, size, value ? value->data : zero, once, y->data, strides);
  return RANGO_OK;
}

/* ---- Shape, Size ---- */

/* The axes [*begin, *end) that Shape lists of `rank`. */
static void shape_range(const rg_node *node, int rank, int *begin, int *end) {
  int64_t first = rg_node_int(node, "start", 0), last = rg_node_int(node, "end", rank);
  first = first < -rank ? 0 : first < 0 ? first + rank : first > rank ? rank : first;
  last = last < -rank ? 0 : last < 0 ? last + rank : last > rank ? rank : last;
  *begin = (int)first;
  *end = (int)(last < first ? first : last);
}

static rango_status infer_shape(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], RANGO_INT64, 1, NULL);
    return RANGO_OK;
  }
  int begin, end;
  shape_range(infer->node, x->rank, &begin, &end);
  rg_fact_set(infer->outputs[0], RANGO_INT64, 1, (int64_t[]){end - begin});
  return rg_infer_set_known(infer, 0, x->dims + begin, end - begin);
}

static rango_status compute_shape(rg_exec *exec) {
  const rango_tensor *x = rg_exec_input(exec, 0);
  rango_tensor *y;
  int begin, end;
  if (!x) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no tensor");
  shape_range(exec->node, x->shape.rank, &begin, &end);
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &(rg_shape){1, {end - begin}}, &y));
  if (y) memcpy(y->data, x->shape.dims + begin, (size_t)(end - begin) * sizeof(int64_t));
  return RANGO_OK;
}

static rango_status infer_size(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t size = x->rank < 0 ? RG_SIZE_UNKNOWN : 1;
  for (int i = 0; i < x->rank; i++) size = rg_size_mul(size, x->dims[i]);
  rg_fact_set(infer->outputs[0], RANGO_INT64, 0, NULL);
  return rg_infer_set_known(infer, 0, &size, 1);
}

static rango_status compute_size(rg_exec *exec) {
  const rango_tensor *x = rg_exec_input(exec, 0);
  rango_tensor *y;
  if (!x) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no tensor");
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &(rg_shape){0}, &y));
  return y ? rg_shape_count(&x->shape, y->data) : RANGO_OK;
}

/* ---- Range ---- */

/* Numbers start, start + delta, ... before limit; -1 when there is no such count. */
static int64_t range_count_integers(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0) return -1;
  if (delta > 0 ? start >= limit : start <= limit) return 0;
  uint64_t distance = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
  uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
  uint64_t count = distance / step + (distance % step != 0);
  return count > INT64_MAX ? -1 : (int64_t)count;
}

static rango_status infer_range(rg_infer *infer) {
  int64_t count[3], values[RG_KNOWN_MAX], size = RG_SIZE_UNKNOWN;
  const int64_t *start = rg_infer_known(infer, 0, &count[0]), *limit = rg_infer_known(infer, 1, &count[1]),
                *delta = rg_infer_known(infer, 2, &count[2]);
  bool given = start && limit && delta && count[0] == 1 && count[1] == 1 && count[2] == 1;
  bool known = given && rg_size_is_known(*start) && rg_size_is_known(*limit) && rg_size_is_known(*delta);
  if (known && (size = range_count_integers(*start, *limit, *delta)) < 0)
    return rg_infer_fail(infer, "delta is 0, or the range is too long");
  if (given && !known && *start == 0 && *delta == 1) size = *limit; /* a symbol stays */
  rg_fact_set(infer->outputs[0], infer->inputs[0]->type, 1, &size);
  if (!known || size > RG_KNOWN_MAX) return RANGO_OK;
  for (int64_t i = 0; i < size; i++) values[i] = (int64_t)((uint64_t)*start + (uint64_t)i * (uint64_t)*delta);
  return rg_infer_set_known(infer, 0, values, size);
}

static rango_status range_integers(rg_exec *exec, const rango_tensor *const *in) {
  int64_t start = rg_tensor_get_i64(in[0], 0), delta = rg_tensor_get_i64(in[2], 0);
  int64_t count = range_count_integers(start, rg_tensor_get_i64(in[1], 0), delta);
  rango_tensor *y;
  if (count < 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "delta is 0, or the range is too long");
  RG_TRY(rg_exec_output(exec, 0, in[0]->type, &(rg_shape){1, {count}}, &y));
  for (int64_t i = 0; y && i < count; i++) {
    int64_t value = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)delta);
    rg_store_integers(y->type, y->data, i, 1, 1, &value);
  }
  return RANGO_OK;
}

static rango_status compute_range(rg_exec *exec) {
  const rango_tensor *in[3];
  rango_tensor *y;
  for (int i = 0; i < 3; i++) {
    RG_TRY(rg_need_tensor(exec, i, 0, &in[i]));
    if (in[i]->type != in[0]->type || rg_tensor_elements(in[i]) != 1)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "start, limit and delta must be single numbers of one type");
  }
  if (rg_type_is_integer(in[0]->type)) return range_integers(exec, in);
  double start = rg_tensor_get_double(in[0], 0), delta = rg_tensor_get_double(in[2], 0);
  double count = ceil((rg_tensor_get_double(in[1], 0) - start) / delta);
  if (!(fabs(count) < 0x1p53)) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the range has no finite length");
  rg_shape shape = {1, {count > 0 ? (int64_t)count : 0}};
  RG_TRY(rg_exec_output(exec, 0, in[0]->type, &shape, &y));
  for (int64_t i = 0; y && i < shape.dims[0]; i++) rg_tensor_set_double(y, i, start + (double)i * delta);
  return RANGO_OK;
}

/* ---- EyeLike ---- */

static rango_type eye_type(const rg_node *node, rango_type like) {
  int64_t type = rg_node_int(node, "dtype", like);
  return type > 0 && type < RANGO_TYPE_COUNT ? (rango_type)type : RANGO_UNDEFINED;
}

static rango_status infer_eye(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  rg_fact_set(infer->outputs[0], eye_type(infer->node, x->type), x->rank, x->dims);
  return RANGO_OK;
}

static rango_status compute_eye(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 2, &x));
  rango_type type = eye_type(exec->node, x->type);
  bool is_number = rg_type_is_integer(type) || rg_type_is_float(type) || type == RANGO_BOOL;
  if (x->shape.rank != 2 || !is_number || rg_element_bytes(type) == 0)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "needs a matrix and a number type, not %s",
                        rango_type_name(type));
  RG_TRY(rg_exec_output(exec, 0, type, &x->shape, &y));
  if (!y) return RANGO_OK;
  memset(y->data, 0, y->bytes);
  int64_t rows = x->shape.dims[0], columns = x->shape.dims[1], shift = rg_node_int(exec->node, "k", 0);
  for (int64_t i = 0; i < rows && shift < columns && shift > -rows; i++)
    if (i + shift >= 0 && i + shift < columns) rg_tensor_set_double(y, i * columns + i + shift, 1);
  return RANGO_OK;
}

#define ENTRY(name, since, inputs, check, function)                                                                    \
  { "", name, since, RG_OPSET_MAX, inputs, inputs, 1, 1, 0, check, infer_##function, compute_##function, NULL }

static const rg_op ops[] = {
    ENTRY("Constant", 1, 0, check_constant, constant),
    ENTRY("ConstantOfShape", 9, 1, check_fill, fill),
    ENTRY("EyeLike", 9, 1, NULL, eye),
    ENTRY("Range", 11, 3, NULL, range),
    ENTRY("Shape", 1, 1, NULL, shape),
    ENTRY("Size", 1, 1, NULL, size),
};

RG_OPS_EXPORT(constant, ops);
