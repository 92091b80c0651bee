/* Operators that change a tensor's shape or nothing at all: the elements stay where they are. */
#include "ops/compute.h"

#include <string.h>

/* Output 0 is input 0 under another shape. */
static rango_status copy_elements(rg_exec *exec, const rango_tensor *x, const rg_shape *shape) {
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, x->type, shape, &y));
  if (y && y->data != x->data) memcpy(y->data, x->data, x->bytes);
  return RANGO_OK;
}

static rango_status need_any(const rg_exec *exec, const rango_tensor **out) {
  *out = rg_exec_input(exec, 0);
  return *out ? RANGO_OK : rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no tensor");
}

/* Output 0 has input 0's small known values. */
static rango_status pass_known(rg_infer *infer) {
  int64_t count;
  const int64_t *known = rg_infer_known(infer, 0, &count);
  return known ? rg_infer_set_known(infer, 0, known, count) : RANGO_OK;
}

/* ---- Identity, Dropout ---- */

static rango_status infer_identity(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  *infer->outputs[0] = *x;
  return RANGO_OK;
}

static rango_status compute_identity(rg_exec *exec) {
  const rango_tensor *x = rg_exec_input(exec, 0);
  if (x) return copy_elements(exec, x, &x->shape);
  rg_val *out;
  RG_TRY(rg_exec_output_val(exec, 0, &out));
  return out && exec->inputs[0] ? rg_val_view(out, exec->inputs[0]) : RANGO_OK;
}

static rango_status infer_dropout(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  rg_fact_set(infer->outputs[0], x->type, x->rank, x->dims);
  if (infer->output_count > 1)
    rg_fact_set(infer->outputs[1], infer->node->version < 10 ? x->type : RANGO_BOOL, x->rank, x->dims);
  return RANGO_OK;
}

static void fill_ones(rango_tensor *mask) {
  int64_t count = rg_tensor_elements(mask);
  for (int64_t i = 0; i < count; i++) rg_tensor_set_double(mask, i, 1);
}

/* As at inference: nothing is dropped. */
static rango_status compute_dropout(rg_exec *exec) {
  const rango_tensor *x, *training = rg_exec_input(exec, 2), *ratio = rg_exec_input(exec, 1);
  rango_tensor *mask;
  RG_TRY(need_any(exec, &x));
  bool drops = !ratio || rg_tensor_elements(ratio) != 1 || rg_tensor_get_double(ratio, 0) != 0;
  if (training && rg_tensor_elements(training) == 1 && rg_tensor_get_double(training, 0) != 0 && drops)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "training mode");
  RG_TRY(copy_elements(exec, x, &x->shape));
  RG_TRY(rg_exec_output(exec, 1, exec->node->version < 10 ? x->type : RANGO_BOOL, &x->shape, &mask));
  if (mask) fill_ones(mask);
  return RANGO_OK;
}

/* ---- Reshape ---- */

/* A product of sizes: a number times symbols. */
typedef struct product {
  int64_t number; /* RG_SIZE_UNKNOWN: not known */
  int count;
  int64_t symbols[RANGO_MAX_RANK];
} product;

static void multiply(product *p, int64_t size) {
  if (rg_size_is_symbol(size))
    p->symbols[p->count++] = size;
  else
    p->number = size == RG_SIZE_UNKNOWN ? size : rg_size_mul(p->number, size);
}

/* Removes a symbol; false when the product hasn't got it. */
static bool cancel(product *p, int64_t symbol) {
  for (int i = 0; i < p->count; i++)
    if (p->symbols[i] == symbol) {
      p->symbols[i] = p->symbols[--p->count];
      return true;
    }
  return false;
}

/* total / part as one size, RG_SIZE_UNKNOWN where it can't be said. False: it isn't a whole number. */
static bool divide(product total, const product *part, int64_t *out) {
  *out = RG_SIZE_UNKNOWN;
  for (int i = 0; i < part->count; i++)
    if (!cancel(&total, part->symbols[i])) return true;
  if (!rg_size_is_known(total.number) || !rg_size_is_known(part->number) || part->number == 0) return true;
  if (total.count == 0 && total.number % part->number != 0) return false;
  if (total.count == 0)
    *out = total.number / part->number;
  else if (total.count == 1 && total.number == part->number)
    *out = total.symbols[0];
  return true;
}

/* The target shape (numbers, symbols, 0 and -1 as in ONNX) made final. *open: its entry to be computed, or -1. */
static rango_status resolve_zeros(rg_infer *infer, const rg_fact *x, bool allow_zero, int rank, int64_t *dims,
                                  int *open) {
  *open = -1;
  int unknown = 0;
  for (int i = 0; i < rank; i++) {
    if (dims[i] == 0 && !allow_zero) {
      if (x->rank >= 0 && i >= x->rank)
        return rg_infer_fail(infer, "entry %d of the shape is 0, but the input has %d axes", i, x->rank);
      dims[i] = x->rank < 0 ? RG_SIZE_UNKNOWN : x->dims[i];
    }
    if (dims[i] == -1) {
      if (*open >= 0) return rg_infer_fail(infer, "the shape has more than one -1");
      *open = i;
    } else if (rg_size_is_known(dims[i]) && dims[i] < 0) {
      return rg_infer_fail(infer, "the shape has the entry %lld", (long long)dims[i]);
    }
    if (dims[i] == RG_SIZE_UNKNOWN && unknown++ == 0 && *open < 0) *open = i;
  }
  if (unknown > 0 && (unknown > 1 || dims[*open] == -1)) { /* more than one can't be computed */
    if (*open >= 0 && dims[*open] == -1) dims[*open] = RG_SIZE_UNKNOWN;
    *open = -1;
  }
  return RANGO_OK;
}

static rango_status infer_reshaped(rg_infer *infer, bool allow_zero, int rank, int64_t *dims) {
  const rg_fact *x = infer->inputs[0];
  product total = {.number = 1}, part = {.number = 1};
  int open;
  RG_TRY(resolve_zeros(infer, x, allow_zero, rank, dims, &open));
  for (int i = 0; i < x->rank; i++) multiply(&total, x->dims[i]);
  if (x->rank < 0) total.number = RG_SIZE_UNKNOWN;
  for (int i = 0; i < rank; i++)
    if (i != open) multiply(&part, dims[i]);
  int64_t rest;
  if (!divide(total, &part, &rest) || (open < 0 && rg_size_is_known(rest) && rest != 1))
    return rg_infer_fail(infer, "the shape doesn't fit the input's number of elements");
  if (open >= 0) dims[open] = rest;
  rg_fact_set(infer->outputs[0], x->type, rank, dims);
  return pass_known(infer);
}

static rango_status infer_reshape(rg_infer *infer) {
  int64_t count = 0, dims[RANGO_MAX_RANK];
  size_t listed = 0;
  const int64_t *shape =
      infer->node->version < 5 ? rg_node_ints(infer->node, "shape", &listed) : rg_infer_known(infer, 1, &count);
  if (infer->node->version < 5) count = (int64_t)listed;
  if (!shape && infer->node->version >= 5) {
    const rg_fact *fact = infer->inputs[1];
    bool sized = fact->rank == 1 && rg_size_is_known(fact->dims[0]) && fact->dims[0] <= RANGO_MAX_RANK;
    rg_fact_set(infer->outputs[0], infer->inputs[0]->type, sized ? (int)fact->dims[0] : -1, NULL);
    return pass_known(infer);
  }
  if (!shape) return rg_infer_fail(infer, "attribute shape is missing");
  if (count > RANGO_MAX_RANK) return rg_infer_fail(infer, "a shape of %lld axes", (long long)count);
  for (int i = 0; i < (int)count; i++) dims[i] = shape[i];
  return infer_reshaped(infer, rg_node_int(infer->node, "allowzero", 0) != 0, (int)count, dims);
}

static rango_status compute_reshape(rg_exec *exec) {
  const rango_tensor *x;
  rg_shape shape;
  int64_t total, part = 1, dims[RANGO_MAX_RANK];
  int count, open = -1;
  bool old = exec->node->version < 5, allow_zero = rg_node_int(exec->node, "allowzero", 0) != 0;
  RG_TRY(need_any(exec, &x));
  RG_TRY(rg_exec_axes(exec, old ? "shape" : NULL, old ? -1 : 1, dims, &count));
  shape.rank = count < 0 ? 0 : count;
  RG_TRY(rg_shape_count(&x->shape, &total));
  for (int i = 0; i < shape.rank; i++) {
    if (dims[i] == 0 && !allow_zero) dims[i] = i < x->shape.rank ? x->shape.dims[i] : INT64_MIN; /* none to copy */
    shape.dims[i] = dims[i];
    if (dims[i] == -1 && open < 0)
      open = i;
    else if (dims[i] < 0 || !rg_mul_i64(part, dims[i], &part))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the shape's entry %lld on axis %d makes no sense",
                          (long long)dims[i], i);
  }
  if (open >= 0) shape.dims[open] = part == 0 ? 0 : total / part;
  if (open >= 0 ? (part == 0 ? total != 0 : total % part != 0) : part != total) {
    char text[RG_SHAPE_TEXT];
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%lld elements don't fit the shape %s", (long long)total,
                        rg_shape_text(&shape, text, sizeof text));
  }
  return copy_elements(exec, x, &shape);
}

/* ---- Flatten ---- */

static rango_status flatten_axis(const rg_node *node, int rank, int *out) {
  int64_t axis = rg_node_int(node, "axis", 1);
  if (axis < -rank || axis > rank)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute axis is %lld, the input has %d axes", rg_node_text(node),
            (long long)axis, rank);
  *out = (int)(axis < 0 ? axis + rank : axis);
  return RANGO_OK;
}

static rango_status infer_flatten(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[2] = {1, 1};
  int axis = 0;
  if (x->rank < 0) {
    rg_fact_set(infer->outputs[0], x->type, 2, NULL);
    return pass_known(infer);
  }
  RG_TRY(flatten_axis(infer->node, x->rank, &axis));
  for (int i = 0; i < x->rank; i++) dims[i >= axis] = rg_size_mul(dims[i >= axis], x->dims[i]);
  rg_fact_set(infer->outputs[0], x->type, 2, dims);
  return pass_known(infer);
}

static rango_status compute_flatten(rg_exec *exec) {
  const rango_tensor *x;
  int axis = 0;
  RG_TRY(need_any(exec, &x));
  RG_TRY(flatten_axis(exec->node, x->shape.rank, &axis));
  rg_shape shape = {2, {rg_dims_product(&x->shape, 0, axis), rg_dims_product(&x->shape, axis, x->shape.rank)}};
  return copy_elements(exec, x, &shape);
}

/* ---- Squeeze, Unsqueeze ---- */

/* Marks the axes listed; false when one is out of range, or listed twice. */
static bool mark_axes(const int64_t *axes, int count, int rank, bool *marked) {
  memset(marked, 0, RANGO_MAX_RANK * sizeof *marked);
  for (int i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes[i], rank, &axis) || marked[axis]) return false;
    marked[axis] = true;
  }
  return true;
}

/* Drops marked axes (all of size 1 when count is -1). Gives -1 when a size of 1 isn't certain, -2 on a contradiction.
 */
static int squeeze_dims(int rank, const int64_t *dims, const int64_t *axes, int count, int64_t *out) {
  bool marked[RANGO_MAX_RANK];
  int left = 0;
  if (count >= 0 && !mark_axes(axes, count, rank, marked)) return -2;
  for (int i = 0; i < rank; i++) {
    bool known = rg_size_is_known(dims[i]);
    if (count < 0 && !known) return -1;
    bool dropped = count < 0 ? dims[i] == 1 : marked[i];
    if (dropped && known && dims[i] != 1) return -2;
    if (!dropped) out[left++] = dims[i];
  }
  return left;
}

static rango_status infer_squeeze(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t axes[RANGO_MAX_RANK], dims[RANGO_MAX_RANK];
  int count, rank = -1;
  bool known;
  RG_TRY(rg_infer_axes(infer, "axes", infer->node->version < 13 ? -1 : 1, axes, &count, &known));
  if (x->rank >= 0 && known) rank = squeeze_dims(x->rank, x->dims, axes, count, dims);
  if (rank == -2) return rg_infer_fail(infer, "axes are out of range, or of a size other than 1");
  bool sized = rank < 0 && x->rank >= 0 && count >= 0 && count <= x->rank;
  rg_fact_set(infer->outputs[0], x->type, sized ? x->rank - count : rank, rank < 0 ? NULL : dims);
  return pass_known(infer);
}

static rango_status compute_squeeze(rg_exec *exec) {
  const rango_tensor *x;
  int64_t axes[RANGO_MAX_RANK];
  rg_shape shape;
  int count;
  RG_TRY(need_any(exec, &x));
  RG_TRY(rg_exec_axes(exec, "axes", exec->node->version < 13 ? -1 : 1, axes, &count));
  shape.rank = squeeze_dims(x->shape.rank, x->shape.dims, axes, count, shape.dims);
  if (shape.rank < 0)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axes are out of range, or of a size other than 1");
  return copy_elements(exec, x, &shape);
}

static int unsqueeze_dims(int rank, const int64_t *dims, const int64_t *axes, int count, int64_t *out) {
  bool marked[RANGO_MAX_RANK];
  if (count < 0 || rank + count > RANGO_MAX_RANK || !mark_axes(axes, count, rank + count, marked)) return -1;
  for (int i = 0, from = 0; i < rank + count; i++) out[i] = marked[i] ? 1 : dims[from++];
  return rank + count;
}

static rango_status infer_unsqueeze(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int64_t axes[RANGO_MAX_RANK], dims[RANGO_MAX_RANK];
  int count, rank = -1;
  bool known;
  RG_TRY(rg_infer_axes(infer, "axes", infer->node->version < 13 ? -1 : 1, axes, &count, &known));
  if (x->rank >= 0 && known && (rank = unsqueeze_dims(x->rank, x->dims, axes, count, dims)) < 0)
    return rg_infer_fail(infer, "axes are missing, out of range or repeated");
  bool sized = rank < 0 && x->rank >= 0 && count >= 0 && x->rank + count <= RANGO_MAX_RANK;
  rg_fact_set(infer->outputs[0], x->type, sized ? x->rank + count : rank, rank < 0 ? NULL : dims);
  return pass_known(infer);
}

static rango_status compute_unsqueeze(rg_exec *exec) {
  const rango_tensor *x;
  int64_t axes[RANGO_MAX_RANK];
  rg_shape shape;
  int count;
  RG_TRY(need_any(exec, &x));
  RG_TRY(rg_exec_axes(exec, "axes", exec->node->version < 13 ? -1 : 1, axes, &count));
  shape.rank = unsqueeze_dims(x->shape.rank, x->shape.dims, axes, count, shape.dims);
  if (shape.rank < 0) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axes are missing, out of range or repeated");
  return copy_elements(exec, x, &shape);
}

#define FLAGS (RG_OP_VIEW | RG_OP_MOVE)
#define ENTRY(name, since, until, inputs, outputs, function)                                                           \
  { "", name, since, until, 1, inputs, 1, outputs, FLAGS, NULL, infer_##function, compute_##function, NULL }

static const rg_op ops[] = {
    /* Dropout is no view: its mask is computed, and training mode refused. */
    {"", "Dropout", 1, 11, 1, 1, 1, 2, 0, NULL, infer_dropout, compute_dropout, NULL},
    {"", "Dropout", 12, RG_OPSET_MAX, 1, 3, 1, 2, 0, NULL, infer_dropout, compute_dropout, NULL},
    ENTRY("Flatten", 1, RG_OPSET_MAX, 1, 1, flatten),
    ENTRY("Identity", 1, RG_OPSET_MAX, 1, 1, identity),
    ENTRY("Reshape", 1, 4, 1, 1, reshape),
    {"", "Reshape", 5, RG_OPSET_MAX, 2, 2, 1, 1, FLAGS, NULL, infer_reshape, compute_reshape, NULL},
    ENTRY("Squeeze", 1, 12, 1, 1, squeeze),
    ENTRY("Squeeze", 13, RG_OPSET_MAX, 2, 1, squeeze),
    ENTRY("Unsqueeze", 1, 12, 1, 1, unsqueeze),
    {"", "Unsqueeze", 13, RG_OPSET_MAX, 2, 2, 1, 1, FLAGS, NULL, infer_unsqueeze, compute_unsqueeze, NULL},
};

RG_OPS_EXPORT(view, ops);
