/* rango.Dense and Gemm. */
#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/product.h"

/* y = activation(scale x w + b + r). */
typedef struct dense_state {
  rg_right right;
  rg_gemm gemm;
  size_t scratch;
  size_t a_row, a_column;
  rg_shape shape;
  int bias, residual; /* inputs, -1: none */
  bool expand;        /* Gemm's C is first spread over [m][n], times beta */
  float beta;
  rg_activation activation;
} dense_state;

static rango_status run(rg_exec *exec) {
  const dense_state *state = exec->state;
  const float *b;
  rango_tensor *y;
  float *residual = NULL;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_right_get(&state->right, exec, &b));
  RG_TRY(rg_exec_scratch(exec, state->scratch, &scratch));
  rg_product product = {.a = rg_exec_input(exec, 0)->data,
                        .a_row = state->a_row,
                        .a_column = state->a_column,
                        .k = state->right.k,
                        .b = b,
                        .unpacked = state->right.unpacked ? &state->right : NULL,
                        .c = y->data};
  if (state->bias >= 0) product.bias = rg_exec_input(exec, state->bias)->data;
  if (state->residual >= 0) product.residual = rg_exec_input(exec, state->residual)->data;
  if (state->expand) {
    const rango_tensor *c = rg_exec_input(exec, 2);
    const size_t m = state->gemm.m, n = state->gemm.n;
    int64_t strides[RANGO_MAX_RANK];
    rg_broadcast_strides(&c->shape, &state->shape, strides);
    RG_TRY(rg_exec_scratch(exec, m * n * sizeof(float), RG_OUT(&residual)));
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++)
        residual[i * n + j] = state->beta * ((const float *)c->data)[i * (size_t)strides[0] + j * (size_t)strides[1]];
    product.residual = residual;
  }
  rg_product_run(&state->gemm, &product, state->activation, exec->threads, scratch);
  return RANGO_OK;
}

/* What both operators end with: packing, the plan, scratch. */
static rango_status finish(rg_prepare *prepare, dense_state *state, size_t m) {
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  state->right.unpacked = rg_product_takes_sgemm(prepare, &state->right, m);
  RG_TRY(rg_right_prepare(&state->right, prepare));
  rg_gemm_plan(&state->gemm, prepare->kernels, prepare->threads, 1, m, state->right.n, 1, state->right.k,
               state->a_column == 1 ? 0 : state->right.k);
  if (!state->right.unpacked) RG_TRY(rg_gemm_scratch_bytes(&state->gemm, &state->scratch));
  prepare->scratch_bytes += rg_round_up(state->scratch, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static bool has(const rg_prepare *prepare, int input) {
  return prepare->input_count > input && prepare->inputs[input] != NULL;
}

static rango_status prepare_dense(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare)) return RANGO_OK;
  const rg_fact *x = prepare->inputs[0];
  dense_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  state->right = rg_right_matrix(prepare, 1, rg_node_int(prepare->node, "trans", 0) != 0);
  state->right.scale = rg_node_float(prepare->node, "scale", 1.0f);
  state->a_row = state->right.k;
  state->a_column = 1;
  state->bias = has(prepare, 2) ? 2 : -1;
  state->residual = has(prepare, 3) ? 3 : -1;
  state->activation = rg_activation_read(prepare->node);
  return finish(prepare, state, rg_cpu_count(x, 0, x->rank - 1));
}

/* Gemm's C: a bias, a residual, or neither as it is. */
static rango_status place_c(rg_prepare *prepare, dense_state *state, size_t m, size_t n) {
  if (!has(prepare, 2) || state->beta == 0.0f) return RANGO_OK;
  const rg_fact *c = prepare->inputs[2];
  const size_t columns = c->rank > 0 ? (size_t)c->dims[c->rank - 1] : 1;
  const size_t count = rg_cpu_count(c, 0, c->rank);
  if (state->beta == 1.0f && columns == n && count == n) {
    state->bias = 2;
  } else if (state->beta == 1.0f && columns == n && count == m * n) {
    state->residual = 2;
  } else {
    state->expand = true;
    prepare->scratch_bytes += rg_round_up(m * n * sizeof(float), RG_ALIGNMENT);
  }
  return RANGO_OK;
}

static rango_status prepare_gemm(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare) || prepare->node->version < 7)
    return RANGO_OK; /* older ones broadcast by an attribute */
  const rg_fact *a = prepare->inputs[0], *y = prepare->outputs[0];
  const bool trans_a = rg_node_int(prepare->node, "transA", 0) != 0;
  const bool trans_b = rg_node_int(prepare->node, "transB", 0) != 0;
  dense_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  const size_t m = (size_t)y->dims[0], n = (size_t)y->dims[1], k = (size_t)a->dims[trans_a ? 0 : 1];
  state->right = rg_right_matrix(prepare, 1, trans_b);
  state->right.scale = rg_node_float(prepare->node, "alpha", 1.0f);
  state->a_row = trans_a ? 1 : k;
  state->a_column = trans_a ? m : 1;
  state->bias = state->residual = -1;
  state->beta = rg_node_float(prepare->node, "beta", 1.0f);
  RG_TRY(place_c(prepare, state, m, n));
  return finish(prepare, state, m);
}

static const rg_cpu_operator operators[] = {
    {RG_PRIVATE_DOMAIN, "Dense", prepare_dense, NULL},
    {"", "Gemm", prepare_gemm, NULL},
};
RG_CPU_EXPORT(dense, operators);
