/* Dense layers and matrix products. */
#include "gpu/product.h"

static int64_t count_of(const rg_fact *fact, int begin, int end) {
  int64_t count = 1;
  for (int i = begin; i < end; i++) count *= fact->dims[i];
  return count;
}

/* All floating-point inputs are float32, and every value lies as ONNX has it. */
static bool is_plain(const rg_gpu_prepare *prepare) {
  for (int i = 0; i < prepare->input_count; i++)
    if (prepare->inputs[i] && (!rg_gpu_is_float(prepare->inputs[i]) ||
                               (prepare->node->inputs[i]->layout != RG_ROW_MAJOR && !prepare->inputs[i]->constant)))
      return false;
  return rg_gpu_is_float(prepare->outputs[0]) && prepare->node->outputs[0]->layout == RG_ROW_MAJOR;
}

static bool is_weight(const rg_fact *fact) { return fact && fact->rank == 2 && fact->constant; }

/* y [rows][n] = x w for the node's constant matrix `input`, [n][k] where it is transposed. */
static rango_status take_matrix(rg_gpu_prepare *prepare, int input, bool transposed, float scale, int64_t rows,
                                rg_gpu_product *out) {
  const int64_t *dims = prepare->inputs[input]->dims;
  const rg_gpu_right right = {.matrices = 1,
                              .taps = 1,
                              .k = dims[transposed ? 1 : 0],
                              .n = dims[transposed ? 0 : 1],
                              .row = transposed ? 1 : dims[1],
                              .column = transposed ? dims[1] : 1,
                              .scale = scale};
  out->matrices = 1;
  out->m = rows;
  out->x_row = right.k;
  out->y_row = right.n;
  return rows <= RG_GPU_FEW_ROWS ? rg_gpu_right_get_few(prepare, input, &right, out)
                                 : rg_gpu_right_get(prepare, input, &right, out);
}

static rango_status prepare_dense(rg_gpu_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0];
  if (!is_plain(prepare) || !is_weight(prepare->inputs[1])) return RANGO_OK;
  rg_gpu_product product = {.y = rg_gpu_out(0), .activation = rg_activation_read(prepare->node)};
  RG_TRY(take_matrix(prepare, 1, rg_node_int(prepare->node, "trans", 0) != 0,
                     rg_node_float(prepare->node, "scale", 1.0f), count_of(x, 0, x->rank - 1), &product));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &product.x));
  RG_TRY(rg_gpu_optional(prepare, 2, &product.bias));
  RG_TRY(rg_gpu_optional(prepare, 3, &product.residual));
  return rg_gpu_product_add(prepare, &product);
}

/* A layer whose weight is two factors: x w1 goes through the node's scratch. */
static rango_status prepare_pair(rg_gpu_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0];
  if (!is_plain(prepare) || !is_weight(prepare->inputs[1]) || !is_weight(prepare->inputs[3])) return RANGO_OK;
  rg_gpu_product first = {0}, second = {.y = rg_gpu_out(0), .activation = rg_activation_read(prepare->node)};
  const int64_t rows = count_of(x, 0, x->rank - 1);
  RG_TRY(take_matrix(prepare, 1, rg_node_int(prepare->node, "trans1", 0) != 0, 1.0f, rows, &first));
  RG_TRY(take_matrix(prepare, 3, rg_node_int(prepare->node, "trans2", 0) != 0, 1.0f, rows, &second));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &first.x));
  RG_TRY(rg_gpu_optional(prepare, 2, &first.bias));
  RG_TRY(rg_gpu_optional(prepare, 4, &second.bias));
  RG_TRY(rg_gpu_optional(prepare, 5, &second.residual));
  return rg_gpu_pair_add(prepare, &first, &second);
}

static rango_status prepare_gemm(rg_gpu_prepare *prepare) {
  const rg_node *node = prepare->node;
  const rg_fact *a = prepare->inputs[0], *c = prepare->input_count > 2 ? prepare->inputs[2] : NULL;
  if (!is_plain(prepare) || node->version < 7 || !is_weight(prepare->inputs[1]) || a->rank != 2 ||
      rg_node_int(node, "transA", 0) != 0)
    return RANGO_OK;
  rg_gpu_product product = {.y = rg_gpu_out(0)};
  RG_TRY(take_matrix(prepare, 1, rg_node_int(node, "transB", 0) != 0, rg_node_float(node, "alpha", 1.0f), a->dims[0],
                     &product));
  RG_TRY(rg_gpu_operand_of(prepare, 0, &product.x));
  const float beta = rg_node_float(node, "beta", 1.0f);
  if (c && beta != 0.0f) {
    const int64_t count = count_of(c, 0, c->rank), columns = c->rank > 0 ? c->dims[c->rank - 1] : 1;
    if (beta != 1.0f || columns != product.n || (count != product.n && count != product.m * product.n)) return RANGO_OK;
    RG_TRY(rg_gpu_operand_of(prepare, 2, count == product.n ? &product.bias : &product.residual));
  }
  return rg_gpu_product_add(prepare, &product);
}

/* Matrices whose batch axes are alike, or absent from the second. */
static rango_status prepare_matmul(rg_gpu_prepare *prepare) {
  const rg_fact *a = prepare->inputs[0], *b = prepare->inputs[1], *y = prepare->outputs[0];
  if (!is_plain(prepare) || a->rank < 2 || b->rank < 2) return RANGO_OK;
  rg_gpu_product product = {.y = rg_gpu_out(0)};
  RG_TRY(rg_gpu_operand_of(prepare, 0, &product.x));
  if (is_weight(b)) {
    RG_TRY(take_matrix(prepare, 1, false, 1.0f, count_of(a, 0, a->rank - 1), &product));
    return rg_gpu_product_add(prepare, &product);
  }
  product.m = a->dims[a->rank - 2];
  product.k = product.x_row = a->dims[a->rank - 1];
  product.n = product.w_row = product.w_columns = product.y_row = b->dims[b->rank - 1];
  product.matrices = count_of(y, 0, y->rank - 2);
  const int64_t b_matrices = count_of(b, 0, b->rank - 2);
  if (count_of(a, 0, a->rank - 2) != product.matrices || (b_matrices != product.matrices && b_matrices != 1))
    return RANGO_OK;
  product.x_matrix = product.m * product.k;
  product.w_matrix = b_matrices == 1 ? 0 : product.k * product.n;
  product.y_matrix = product.m * product.n;
  RG_TRY(rg_gpu_operand_of(prepare, 1, &product.w));
  return rg_gpu_product_add(prepare, &product);
}

static const rg_gpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Dense", prepare_dense},
    {RG_PRIVATE_DOMAIN, "LowRankDense", prepare_pair},
    {"", "Gemm", prepare_gemm},
    {"", "MatMul", prepare_matmul},
};
RG_GPU_EXPORT(dense, operators);
