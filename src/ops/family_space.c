/* Moving elements in fixed patterns: DepthToSpace, SpaceToDepth, Trilu, ReverseSequence. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <string.h>

static rango_status need_any(const rg_exec *exec, int min_rank, const rango_tensor **out) {
  *out = rg_exec_input(exec, 0);
  if (!*out) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 is missing or no tensor");
  if ((*out)->shape.rank >= min_rank) return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input 0 has %d axes, needs at least %d", (*out)->shape.rank,
                      min_rank);
}

/* ---- DepthToSpace, SpaceToDepth: [N, C, H, W] ---- */

static rango_status check_blocks(const rg_node *node) {
  int64_t block = rg_node_int(node, "blocksize", 0);
  const char *mode = rg_node_string(node, "mode", "DCR");
  if (block < 1 || block > INT16_MAX)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute blocksize is %lld", rg_node_text(node), (long long)block);
  if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
    RG_FAIL(RANGO_ERROR_FORMAT, "%s: attribute mode is '%s', expected DCR or CRD", rg_node_text(node), mode);
  return RANGO_OK;
}

/* a / b where that is a whole number; symbols become unknown. False when it isn't. */
static bool divide(int64_t a, int64_t b, int64_t *out) {
  *out = b == 1 ? a : !rg_size_is_known(a) ? RG_SIZE_UNKNOWN : a / b;
  return !rg_size_is_known(a) || a % b == 0;
}

static rango_status block_dims(const rg_node *node, bool to_space, const int64_t *x, int64_t *y) {
  int64_t block = rg_node_int(node, "blocksize", 1);
  bool fits;
  y[0] = x[0];
  if (to_space) {
    fits = divide(x[1], block * block, &y[1]);
    y[2] = rg_size_mul(x[2], block);
    y[3] = rg_size_mul(x[3], block);
  } else {
    y[1] = rg_size_mul(x[1], block * block);
    fits = divide(x[2], block, &y[2]);
    fits = divide(x[3], block, &y[3]) && fits;
  }
  if (fits) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: the input's sizes are no multiples of the block's", rg_node_text(node));
}

static rango_status infer_blocks(rg_infer *infer, bool to_space) {
  const rg_fact *x = infer->inputs[0];
  int64_t dims[4];
  if (x->rank >= 0 && x->rank != 4) return rg_infer_fail(infer, "the input has %d axes, expected 4", x->rank);
  if (x->rank == 4) RG_TRY(block_dims(infer->node, to_space, x->dims, dims));
  rg_fact_set(infer->outputs[0], x->type, 4, x->rank == 4 ? dims : NULL);
  return RANGO_OK;
}

static rango_status infer_to_space(rg_infer *infer) { return infer_blocks(infer, true); }
static rango_status infer_to_depth(rg_infer *infer) { return infer_blocks(infer, false); }

/* Both are one strided copy over [n][c][h][block][w][block], the channels being [c][block][block] (CRD) or
 * [block][block][c] on the depth side. */
static rango_status compute_blocks(rg_exec *exec, bool to_space) {
  const rango_tensor *x;
  rango_tensor *y;
  rg_shape shape = {.rank = 4};
  RG_TRY(need_any(exec, 4, &x));
  if (x->shape.rank != 4) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the input has %d axes", x->shape.rank);
  RG_TRY(block_dims(exec->node, to_space, x->shape.dims, shape.dims));
  RG_TRY(rg_shape_count(&shape, &(int64_t){0}));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  const int64_t *deep = to_space ? x->shape.dims : shape.dims, *wide = to_space ? shape.dims : x->shape.dims;
  int64_t block = rg_node_int(exec->node, "blocksize", 1), channels = wide[1], plane = deep[2] * deep[3];
  bool crd = strcmp(rg_node_string(exec->node, "mode", "DCR"), "CRD") == 0;
  rg_shape walk = {6, {deep[0], channels, deep[2], block, deep[3], block}};
  int64_t channel = crd ? block * block : 1, row = crd ? block : block * channels, column = crd ? 1 : channels;
  int64_t deep_strides[] = {deep[1] * plane, channel * plane, deep[3], row * plane, 1, column * plane};
  int64_t wide_strides[6];
  rg_row_major_strides(&walk, wide_strides);
  rg_copy_strided(&walk, rg_element_bytes(x->type), x->data, to_space ? deep_strides : wide_strides, y->data,
                  to_space ? wide_strides : deep_strides);
  return RANGO_OK;
}

static rango_status compute_to_space(rg_exec *exec) { return compute_blocks(exec, true); }
static rango_status compute_to_depth(rg_exec *exec) { return compute_blocks(exec, false); }

/* ---- Trilu: zeroes what is below (upper) or above diagonal k of the last two axes ---- */

static int64_t limit(int64_t value, int64_t most) { return value < 0 ? 0 : value > most ? most : value; }

static rango_status compute_trilu(rg_exec *exec) {
  const rango_tensor *x, *k_tensor = rg_exec_input(exec, 1);
  rango_tensor *y;
  RG_TRY(need_any(exec, 2, &x));
  if (k_tensor && (!rg_type_is_integer(k_tensor->type) || rg_tensor_elements(k_tensor) != 1))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "k must be one integer");
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  int rank = x->shape.rank;
  int64_t rows = x->shape.dims[rank - 2], columns = x->shape.dims[rank - 1];
  int64_t k = k_tensor ? rg_tensor_get_i64(k_tensor, 0) : 0, matrices = rg_dims_product(&x->shape, 0, rank - 2);
  k = k < -rows ? -rows : k > columns ? columns : k;
  bool upper = rg_node_int(exec->node, "upper", 1) != 0;
  size_t size = rg_element_bytes(x->type);
  memset(y->data, 0, y->bytes);
  for (int64_t i = 0; i < matrices * rows; i++) {
    int64_t row = i % rows;
    int64_t begin = upper ? limit(row + k, columns) : 0, end = upper ? columns : limit(row + k + 1, columns);
    if (end > begin)
      memcpy((char *)y->data + (size_t)(i * columns + begin) * size,
             (const char *)x->data + (size_t)(i * columns + begin) * size, (size_t)(end - begin) * size);
  }
  return RANGO_OK;
}

/* ---- ReverseSequence: the first lengths[b] steps of every batch entry are turned around ---- */

static rango_status check_reverse(const rg_node *node) {
  int64_t batch = rg_node_int(node, "batch_axis", 1), time = rg_node_int(node, "time_axis", 0);
  if ((batch == 0 && time == 1) || (batch == 1 && time == 0)) return RANGO_OK;
  RG_FAIL(RANGO_ERROR_FORMAT, "%s: batch_axis and time_axis must be 0 and 1, or 1 and 0", rg_node_text(node));
}

static rango_status compute_reverse(rg_exec *exec) {
  const rango_tensor *x;
  rango_tensor *y;
  const int64_t *lengths;
  int64_t count;
  RG_TRY(need_any(exec, 2, &x));
  RG_TRY(rg_exec_integers(exec, 1, &lengths, &count));
  int batch_axis = rg_node_int(exec->node, "batch_axis", 1) != 0, time_axis = 1 - batch_axis;
  int64_t batch = x->shape.dims[batch_axis], time = x->shape.dims[time_axis];
  if (count != batch)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%lld lengths for a batch of %lld", (long long)count,
                        (long long)batch);
  for (int64_t b = 0; b < batch; b++)
    if (lengths[b] < 0 || lengths[b] > time)
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "a length of %lld for %lld steps", (long long)lengths[b],
                          (long long)time);
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  if (!y || y->bytes == 0) return RANGO_OK;
  size_t bytes = (size_t)rg_dims_product(&x->shape, 2, x->shape.rank) * rg_element_bytes(x->type);
  for (int64_t i = 0; i < batch * time; i++) {
    int64_t b = batch_axis ? i % batch : i / time, t = batch_axis ? i / batch : i % time;
    int64_t source = t < lengths[b] ? lengths[b] - 1 - t : t;
    int64_t from = batch_axis ? source * batch + b : b * time + source;
    memcpy((char *)y->data + (size_t)i * bytes, (const char *)x->data + (size_t)from * bytes, bytes);
  }
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "DepthToSpace", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_MOVE, check_blocks, infer_to_space, compute_to_space, NULL},
    {"", "ReverseSequence", 10, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_MOVE, check_reverse, rg_infer_same_as_first,
     compute_reverse, NULL},
    {"", "SpaceToDepth", 1, RG_OPSET_MAX, 1, 1, 1, 1, RG_OP_MOVE, check_blocks, infer_to_depth, compute_to_depth, NULL},
    {"", "Trilu", 14, RG_OPSET_MAX, 1, 2, 1, 1, RG_OP_MOVE, NULL, rg_infer_same_as_first, compute_trilu, NULL},
};

RG_OPS_EXPORT(space, ops);
