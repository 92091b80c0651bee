/* MatMul and Gemm. Sums run over the inner axis in ascending order, in the elements' own type; integers modulo 2^64. */
#include "ops/compute.h"
#include "ops/twice.h"

#include <string.h>

#define T          float
#define NAME(name) name##_f32
#include "ops/product_loops.h"
#undef T
#undef NAME
#define T          double
#define NAME(name) name##_f64
#include "ops/product_loops.h"
#undef T
#undef NAME
#define T          uint64_t
#define NAME(name) name##_u64
#include "ops/product_loops.h"
#undef T
#undef NAME

void rg_product_f32(const rg_product *shape, const float *a, const float *b, float *c) { product_f32(shape, a, b, c); }
void rg_product_f64(const rg_product *shape, const double *a, const double *b, double *c) {
  product_f64(shape, a, b, c);
}

/* ---- element types: float32 and float64 as they are, 32-bit integers widened and narrowed ---- */

static rango_status need_numbers(const rg_exec *exec, const rango_tensor *tensor) {
  if (tensor->type == RANGO_FLOAT32 || tensor->type == RANGO_FLOAT64 || tensor->type == RANGO_INT32 ||
      tensor->type == RANGO_INT64 || tensor->type == RANGO_UINT32 || tensor->type == RANGO_UINT64)
    return RANGO_OK;
  return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "elements of type %s", rango_type_name(tensor->type));
}

static rango_status widened(rg_exec *exec, const rango_tensor *tensor, const void **out) {
  *out = tensor->data;
  if (tensor->type != RANGO_INT32 && tensor->type != RANGO_UINT32) return RANGO_OK;
  int64_t count = rg_tensor_elements(tensor), *wide = NULL;
  RG_TRY(rg_scratch_array(exec, count, sizeof *wide, RG_OUT(&wide)));
  for (int64_t i = 0; i < count; i++) wide[i] = rg_tensor_get_i64(tensor, i);
  *out = wide;
  return RANGO_OK;
}

static rango_status wide_result(rg_exec *exec, const rango_tensor *tensor, void **out) {
  *out = tensor->data;
  if (tensor->type != RANGO_INT32 && tensor->type != RANGO_UINT32) return RANGO_OK;
  return rg_scratch_array(exec, rg_tensor_elements(tensor), sizeof(int64_t), out);
}

static void narrow_result(rango_tensor *tensor, const void *wide) {
  if (tensor->type != RANGO_INT32 && tensor->type != RANGO_UINT32) return;
  int64_t count = rg_tensor_elements(tensor);
  for (int64_t i = 0; i < count; i++) ((uint32_t *)tensor->data)[i] = (uint32_t)((const uint64_t *)wide)[i];
}

static size_t wide_bytes(rango_type type) { return type == RANGO_FLOAT32 ? sizeof(float) : sizeof(double); }

static void product(rango_type type, const rg_product *shape, const void *a, const void *b, void *c) {
  if (type == RANGO_FLOAT32)
    product_f32(shape, a, b, c);
  else if (type == RANGO_FLOAT64)
    product_f64(shape, a, b, c);
  else
    product_u64(shape, a, b, c);
}

/* ---- MatMul ---- */

/* NumPy's rules for sizes that may be symbols: the output's dims, or what is wrong. inner[] are the two that must
 * agree. */
static const char *matmul_dims(int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank, int64_t *out) {
  if (rank_a < 1 || rank_b < 1) return "an input is a scalar";
  int64_t inner_a = a[rank_a - 1], inner_b = rank_b == 1 ? b[0] : b[rank_b - 2];
  if (rg_size_is_known(inner_a) && rg_size_is_known(inner_b) && inner_a != inner_b) return "the inner sizes differ";
  int outer_a = rank_a > 2 ? rank_a - 2 : 0, outer_b = rank_b > 2 ? rank_b - 2 : 0;
  if (!rg_broadcast_dims(outer_a, a, outer_b, b, rank, out)) return "the outer axes don't broadcast";
  if (rank_a > 1) out[(*rank)++] = a[rank_a - 2];
  if (rank_b > 1) out[(*rank)++] = b[rank_b - 1];
  return NULL;
}

static rango_status infer_matmul(rg_infer *infer) {
  const rg_fact *a = infer->inputs[0], *b = infer->inputs[1];
  if (a->rank < 0 || b->rank < 0) {
    rg_fact_set(infer->outputs[0], a->type, -1, NULL);
    return RANGO_OK;
  }
  int rank;
  int64_t dims[RANGO_MAX_RANK];
  const char *error = matmul_dims(a->rank, a->dims, b->rank, b->dims, &rank, dims);
  if (error) return rg_infer_fail(infer, "%s", error);
  rg_fact_set(infer->outputs[0], a->type, rank, dims);
  return RANGO_OK;
}

static int64_t macs_of(const rg_fact *output, int64_t inner) {
  int64_t macs = inner;
  if (output->rank < 0 || !rg_size_is_known(inner)) return -1;
  for (int i = 0; i < output->rank; i++)
    if (!rg_size_is_known(output->dims[i]) || !rg_mul_i64(macs, output->dims[i], &macs)) return -1;
  return macs;
}

static int64_t macs_matmul(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  const rg_fact *a = inputs[0];
  return a->rank < 1 ? -1 : macs_of(outputs[0], a->dims[a->rank - 1]);
}

/* Strides, in matrices, of the outer axes of an input in the output's outer axes. */
static void outer_strides(const rg_shape *shape, const rg_shape *outer, int64_t *strides) {
  rg_shape own = *shape;
  own.rank = shape->rank > 2 ? shape->rank - 2 : 0;
  rg_broadcast_strides(&own, outer, strides);
}

static rango_status compute_matmul(rg_exec *exec) {
  const rango_tensor *a, *b;
  RG_TRY(rg_need_tensor(exec, 0, 1, &a));
  RG_TRY(need_numbers(exec, a));
  RG_TRY(rg_need_tensor(exec, 1, 1, &b));
  RG_TRY(rg_optional_like(exec, 1, a, &b));
  rg_shape out;
  const char *error = matmul_dims(a->shape.rank, a->shape.dims, b->shape.rank, b->shape.dims, &out.rank, out.dims);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);

  int a_rank = a->shape.rank, b_rank = b->shape.rank;
  rg_product shape = {.rows = a_rank > 1 ? a->shape.dims[a_rank - 2] : 1,
                      .inner = a->shape.dims[a_rank - 1],
                      .columns = b_rank > 1 ? b->shape.dims[b_rank - 1] : 1};
  shape.a_row = shape.inner;
  shape.a_column = shape.b_column = 1;
  shape.b_row = shape.columns;
  rg_shape outer = out;
  outer.rank -= (a_rank > 1) + (b_rank > 1);
  int64_t a_strides[RANGO_MAX_RANK], b_strides[RANGO_MAX_RANK], at[RANGO_MAX_RANK] = {0};
  outer_strides(&a->shape, &outer, a_strides);
  outer_strides(&b->shape, &outer, b_strides);

  rango_tensor *y;
  const void *a_data, *b_data;
  void *c_data;
  RG_TRY(rg_exec_output(exec, 0, a->type, &out, &y));
  if (!y) return RANGO_OK;
  RG_TRY(widened(exec, a, &a_data));
  RG_TRY(widened(exec, b, &b_data));
  RG_TRY(wide_result(exec, y, &c_data));
  size_t size = wide_bytes(a->type);
  memset(c_data, 0, (size_t)rg_tensor_elements(y) * size);
  int64_t matrices = rg_dims_product(&outer, 0, outer.rank);
  for (int64_t i = 0, a_at = 0, b_at = 0; i < matrices; i++) {
    product(a->type, &shape, (const char *)a_data + (size_t)(a_at * shape.rows * shape.inner) * size,
            (const char *)b_data + (size_t)(b_at * shape.inner * shape.columns) * size,
            (char *)c_data + (size_t)(i * shape.rows * shape.columns) * size);
    for (int axis = outer.rank - 1; axis >= 0; axis--) { /* the next position of the outer axes */
      a_at += a_strides[axis];
      b_at += b_strides[axis];
      if (++at[axis] < outer.dims[axis]) break;
      a_at -= a_strides[axis] * outer.dims[axis];
      b_at -= b_strides[axis] * outer.dims[axis];
      at[axis] = 0;
    }
  }
  narrow_result(y, c_data);
  return RANGO_OK;
}

/* ---- Gemm ---- */

/* [rows, columns] of op(A) · op(B), and the inner size; what is wrong, or NULL. */
static const char *gemm_dims(const rg_node *node, const int64_t *a, const int64_t *b, int64_t *out, int64_t *inner) {
  bool trans_a = rg_node_int(node, "transA", 0) != 0, trans_b = rg_node_int(node, "transB", 0) != 0;
  int64_t inner_a = a[trans_a ? 0 : 1], inner_b = b[trans_b ? 1 : 0];
  out[0] = a[trans_a ? 1 : 0];
  out[1] = b[trans_b ? 0 : 1];
  *inner = rg_size_is_known(inner_a) ? inner_a : inner_b;
  if (rg_size_is_known(inner_a) && rg_size_is_known(inner_b) && inner_a != inner_b) return "the inner sizes differ";
  return NULL;
}

static rango_status infer_gemm(rg_infer *infer) {
  const rg_fact *a = infer->inputs[0], *b = infer->inputs[1], *c = infer->input_count > 2 ? infer->inputs[2] : NULL;
  int64_t unknown[2] = {rg_infer_new_symbol(infer), rg_infer_new_symbol(infer)}, dims[2], inner;
  if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2))
    return rg_infer_fail(infer, "A and B must have 2 axes, have %d and %d", a->rank, b->rank);
  const char *error =
      gemm_dims(infer->node, a->rank == 2 ? a->dims : unknown, b->rank == 2 ? b->dims : unknown, dims, &inner);
  if (error) return rg_infer_fail(infer, "%s", error);
  if (c && c->rank >= 0) {
    int rank;
    int64_t both[RANGO_MAX_RANK];
    bool fits = c->rank <= 2 && rg_broadcast_dims(2, dims, c->rank, c->dims, &rank, both);
    for (int i = 0; fits && i < 2; i++) fits = !rg_size_is_known(dims[i]) || both[i] == dims[i];
    if (!fits) return rg_infer_fail(infer, "C doesn't broadcast to the product's shape");
  }
  rg_fact_set(infer->outputs[0], a->type, 2, dims);
  return RANGO_OK;
}

static int64_t macs_gemm(const rg_node *node, const rg_fact *const *inputs, const rg_fact *const *outputs) {
  int64_t dims[2], inner;
  if (inputs[0]->rank != 2 || inputs[1]->rank != 2) return -1;
  return gemm_dims(node, inputs[0]->dims, inputs[1]->dims, dims, &inner) ? -1 : macs_of(outputs[0], inner);
}

/* y[i] = alpha * y[i] + beta * c[broadcast i]; integer types take alpha and beta as whole numbers. */
static void gemm_finish(rango_type type, float alpha, float beta, void *y, const void *c, const int64_t *c_strides,
                        int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) {
      int64_t at = i * columns + j, from = i * c_strides[0] + j * c_strides[1];
      if (type == RANGO_FLOAT32) {
        float *value = (float *)y + at;
        if (alpha != 1) *value *= alpha;
        if (c) *value += beta == 1 ? ((const float *)c)[from] : beta * ((const float *)c)[from];
      } else if (type == RANGO_FLOAT64) {
        double *value = (double *)y + at;
        *value = alpha * *value + (c ? beta * ((const double *)c)[from] : 0);
      } else {
        uint64_t *value = (uint64_t *)y + at;
        *value = (uint64_t)(int64_t)alpha * *value + (c ? (uint64_t)(int64_t)beta * ((const uint64_t *)c)[from] : 0);
      }
    }
  }
}

static rango_status check_gemm(const rg_node *node) {
  float alpha = rg_node_float(node, "alpha", 1), beta = rg_node_float(node, "beta", 1);
  if (!(alpha > -1e18f && alpha < 1e18f && beta > -1e18f && beta < 1e18f)) /* NaN and what no int64 holds */
    return rg_fail(RANGO_ERROR_FORMAT, "%s: alpha and beta must be finite", rg_node_text(node));
  return RANGO_OK;
}

static rango_status gemm_inputs(rg_exec *exec, const rango_tensor **a, const rango_tensor **b, const rango_tensor **c,
                                rg_product *shape, rg_shape *out) {
  RG_TRY(rg_need_tensor(exec, 0, 2, a));
  RG_TRY(need_numbers(exec, *a));
  RG_TRY(rg_need_tensor(exec, 1, 2, b));
  RG_TRY(rg_optional_like(exec, 1, *a, b));
  RG_TRY(rg_optional_like(exec, 2, *a, c));
  if ((*a)->shape.rank != 2 || (*b)->shape.rank != 2)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "A and B must have 2 axes");
  out->rank = 2;
  const char *error = gemm_dims(exec->node, (*a)->shape.dims, (*b)->shape.dims, out->dims, &shape->inner);
  if (error) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "%s", error);
  bool trans_a = rg_node_int(exec->node, "transA", 0) != 0, trans_b = rg_node_int(exec->node, "transB", 0) != 0;
  shape->rows = out->dims[0];
  shape->columns = out->dims[1];
  shape->a_row = trans_a ? 1 : shape->inner;
  shape->a_column = trans_a ? shape->rows : 1;
  shape->b_row = trans_b ? 1 : shape->columns;
  shape->b_column = trans_b ? shape->inner : 1;
  rg_shape both;
  if (*c && ((*c)->shape.rank > 2 || !rg_broadcast_shape(&(*c)->shape, out, &both) || !rg_shape_equal(&both, out)))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "C doesn't broadcast to the product's shape");
  return RANGO_OK;
}

static rango_status compute_gemm(rg_exec *exec) {
  const rango_tensor *a, *b, *c;
  rg_product shape;
  rg_shape out;
  RG_TRY(gemm_inputs(exec, &a, &b, &c, &shape, &out));
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, a->type, &out, &y));
  if (!y) return RANGO_OK;
  const void *a_data, *b_data, *c_data = NULL;
  void *y_data;
  RG_TRY(widened(exec, a, &a_data));
  RG_TRY(widened(exec, b, &b_data));
  RG_TRY(wide_result(exec, y, &y_data));
  int64_t c_strides[RANGO_MAX_RANK] = {0};
  if (c) {
    RG_TRY(widened(exec, c, &c_data));
    rg_broadcast_strides(&c->shape, &out, c_strides);
  }
  memset(y_data, 0, (size_t)rg_tensor_elements(y) * wide_bytes(a->type));
  product(a->type, &shape, a_data, b_data, y_data);
  gemm_finish(a->type, rg_node_float(exec->node, "alpha", 1), rg_node_float(exec->node, "beta", 1), y_data, c_data,
              c_strides, out.dims[0], out.dims[1]);
  narrow_result(y, y_data);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "MatMul", 1, RG_OPSET_MAX, 2, 2, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer_matmul, compute_matmul, macs_matmul},
    {"", "Gemm", 1, RG_OPSET_MAX, 2, 3, 1, 1, RG_OP_FLOAT_ONLY, check_gemm, infer_gemm, compute_gemm, macs_gemm},
};
RG_OPS_EXPORT(matmul, ops);
