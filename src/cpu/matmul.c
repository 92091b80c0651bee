/* MatMul: one matrix, batches, and NumPy's rules for vectors and broadcasting. */
#include "base/checked.h"
#include "cpu/families.h"
#include "cpu/product.h"

typedef struct matmul_state {
  rg_right right;
  rg_gemm gemm;
  size_t scratch;
  const size_t *a_items, *b_items; /* offsets of each product's operands; NULL: one product */
  rg_shape shape;
} matmul_state;

static rango_status run(rg_exec *exec) {
  const matmul_state *state = exec->state;
  const float *b;
  rango_tensor *y;
  void *scratch;
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &state->shape, &y));
  RG_TRY(rg_right_get(&state->right, exec, &b));
  RG_TRY(rg_exec_scratch(exec, state->scratch, &scratch));
  const rg_product product = {.a = rg_exec_input(exec, 0)->data,
                              .a_row = state->right.k,
                              .a_column = 1,
                              .k = state->right.k,
                              .a_items = state->a_items,
                              .b = b,
                              .b_items = state->b_items,
                              .unpacked = state->right.unpacked ? &state->right : NULL,
                              .c = y->data,
                              .c_item = state->gemm.m * state->gemm.n};
  rg_product_run(&state->gemm, &product, (rg_activation){RG_ACT_NONE, 0, 0}, exec->threads, scratch);
  return RANGO_OK;
}

/* The shape of a batch: what is in front of the last two dimensions. */
static rg_shape batch_of(const rg_fact *fact) {
  rg_shape shape = {.rank = fact->rank > 2 ? fact->rank - 2 : 0};
  for (int i = 0; i < shape.rank; i++) shape.dims[i] = fact->dims[i];
  return shape;
}

/* Where each product of the broadcast batch begins, in steps of `step`. */
static rango_status batch_offsets(rg_arena *arena, const rg_shape *from, const rg_shape *batch, size_t count,
                                  size_t step, const size_t **out) {
  int64_t strides[RANGO_MAX_RANK];
  size_t *offsets;
  rg_broadcast_strides(from, batch, strides);
  RG_TRY(rg_arena_calloc(arena, count, sizeof *offsets, RG_OUT(&offsets)));
  for (size_t i = 0; i < count; i++) {
    size_t left = i, at = 0;
    for (int axis = batch->rank - 1; axis >= 0; axis--) {
      at += left % (size_t)batch->dims[axis] * (size_t)strides[axis];
      left /= (size_t)batch->dims[axis];
    }
    offsets[i] = at * step;
  }
  *out = offsets;
  return RANGO_OK;
}

static rango_status prepare_matmul(rg_prepare *prepare) {
  if (!rg_cpu_is_plain(prepare)) return RANGO_OK;
  const rg_fact *a = prepare->inputs[0], *b = prepare->inputs[1];
  if (a->rank == 0 || b->rank == 0) return RANGO_OK;
  const rg_shape a_batch = batch_of(a), b_batch = batch_of(b);
  matmul_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  RG_TRY(rg_fact_shape(prepare->outputs[0], &state->shape));
  const size_t k = (size_t)a->dims[a->rank - 1], n = b->rank > 1 ? (size_t)b->dims[b->rank - 1] : 1;
  size_t m = a->rank > 1 ? (size_t)a->dims[a->rank - 2] : 1, items = 1;
  const size_t matrices = rg_cpu_count(b, 0, b_batch.rank);
  state->right = (rg_right){.kernels = prepare->kernels,
                            .input = 1,
                            .matrices = matrices,
                            .taps = 1,
                            .k = k,
                            .n = n,
                            .matrix_step = k * n,
                            .row = n,
                            .column = 1,
                            .scale = 1.0f};
  const bool one_right = matrices == 1 && b_batch.rank <= a_batch.rank;
  if (one_right) m *= rg_cpu_count(a, 0, a_batch.rank); /* the left's batch is more rows */
  state->right.unpacked = rg_product_takes_sgemm(prepare, &state->right, m);
  RG_TRY(rg_right_prepare(&state->right, prepare));
  if (!one_right) {
    rg_shape batch;
    if (!rg_broadcast_shape(&a_batch, &b_batch, &batch))
      RG_FAIL(RANGO_ERROR_ARGUMENT, "%s: the operands' batches don't fit", rg_node_text(prepare->node));
    int64_t count;
    RG_TRY(rg_shape_count(&batch, &count));
    items = (size_t)count;
    RG_TRY(batch_offsets(prepare->arena, &a_batch, &batch, items, m * k, &state->a_items));
    RG_TRY(batch_offsets(prepare->arena, &b_batch, &batch, items, state->right.matrix_floats, &state->b_items));
  }
  rg_gemm_plan(&state->gemm, prepare->kernels, prepare->threads, items, m, n, 1, k, 0);
  if (!state->right.unpacked) RG_TRY(rg_gemm_scratch_bytes(&state->gemm, &state->scratch));
  prepare->scratch_bytes += rg_round_up(state->scratch, RG_ALIGNMENT);
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

static const rg_cpu_operator operators[] = {{"", "MatMul", prepare_matmul, NULL}};
RG_CPU_EXPORT(matmul, operators);
