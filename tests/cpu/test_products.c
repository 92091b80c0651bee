/* Dense, Gemm, MatMul and low-rank pairs of dense layers against sums in double precision. */
#include "matrix.h"
#include "node_host.h"

static const size_t rows_of[] = {1, 2, 3, 5, 8, 13, 17, 40, 100};
static const size_t columns_of[] = {1, 4, 7, 8, 9, 16, 17, 31, 32, 33, 64, 70};
static const size_t inner_of[] = {1, 2, 3, 8, 17, 64, 100};

static const float *values(const node_host *host, int input) { return host->inputs[input].data; }

static void test_dense(void **state) {
  (void)state;
  for (size_t turn = 0; turn < 80; turn++) {
    const size_t m = rows_of[turn % 9], n = columns_of[turn % 12], k = inner_of[turn % 7];
    const bool trans = turn % 2 != 0, bias = turn % 3 != 0, residual = turn % 4 == 0;
    const rg_activation activation = {(rg_activation_kind)(turn % 11), turn % 11 == RG_ACT_CLIP ? -0.5f : 0.2f, 0.5f};
    const float scale = turn % 7 < 2 ? 0.25f : 1.0f;
    node_host host;
    char what[80];
    node_begin(&host, RG_PRIVATE_DOMAIN, "Dense", 4, turn);
    check_ok(rg_node_set_int(host.node, "trans", trans));
    check_ok(rg_node_set_float(host.node, "scale", scale));
    check_ok(rg_activation_write(host.node, activation));
    if (turn % 5 == 0 && m > 1)
      node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(1, (int64_t)m, (int64_t)k));
    else
      node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE((int64_t)m, (int64_t)k));
    node_input(&host, 1, turn % 8 != 1, RG_ROW_MAJOR,
               trans ? SHAPE((int64_t)n, (int64_t)k) : SHAPE((int64_t)k, (int64_t)n));
    rg_shape y = host.inputs[0].shape;
    y.dims[y.rank - 1] = (int64_t)n;
    if (bias) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE((int64_t)n));
    if (residual) node_input(&host, 3, false, RG_ROW_MAJOR, &y);
    double *truth = malloc(m * n * sizeof *truth);
    multiply(&(matrix){values(&host, 0), k, 1}, &(matrix){values(&host, 1), trans ? 1 : n, trans ? k : 1}, m, n, k,
             (double)scale, truth);
    for (size_t i = 0; i < m * n; i++) {
      if (bias) truth[i] += (double)values(&host, 2)[i % n];
      if (residual) truth[i] += (double)values(&host, 3)[i];
      truth[i] = (double)rg_activation_apply(activation, (float)truth[i]);
    }
    snprintf(what, sizeof what, "dense %zu: %zu x %zu x %zu", turn, m, n, k);
    node_check(&host, what, truth, &y, RG_ROW_MAJOR);
    free(truth);
    node_end(&host);
  }
}

static void test_gemm(void **state) {
  (void)state;
  for (size_t turn = 0; turn < 60; turn++) {
    const size_t m = rows_of[turn % 9], n = columns_of[turn % 12], k = inner_of[turn % 7];
    const bool trans_a = turn % 3 == 0, trans_b = turn % 2 == 0;
    const int64_t c_shapes[6][2] = {
        {(int64_t)m, (int64_t)n}, {1, (int64_t)n}, {(int64_t)m, 1}, {1, 1}, {0, 0}, {-1, -1}};
    const int64_t *c_shape = c_shapes[turn % 6];
    const float alpha = turn % 4 == 0 ? 0.5f : 1.0f, beta = turn % 5 == 0 ? -1.5f : turn % 7 == 0 ? 0.0f : 1.0f;
    node_host host;
    char what[80];
    node_begin(&host, "", "Gemm", 3, turn);
    check_ok(rg_node_set_int(host.node, "transA", trans_a));
    check_ok(rg_node_set_int(host.node, "transB", trans_b));
    check_ok(rg_node_set_float(host.node, "alpha", alpha));
    check_ok(rg_node_set_float(host.node, "beta", beta));
    node_input(&host, 0, false, RG_ROW_MAJOR, trans_a ? SHAPE((int64_t)k, (int64_t)m) : SHAPE((int64_t)m, (int64_t)k));
    node_input(&host, 1, turn % 3 != 1, RG_ROW_MAJOR,
               trans_b ? SHAPE((int64_t)n, (int64_t)k) : SHAPE((int64_t)k, (int64_t)n));
    if (c_shape[0] > 0) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(c_shape[0], c_shape[1]));
    if (c_shape[0] < 0) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE((int64_t)n));
    double *truth = malloc(m * n * sizeof *truth);
    multiply(&(matrix){values(&host, 0), trans_a ? 1 : k, trans_a ? m : 1},
             &(matrix){values(&host, 1), trans_b ? 1 : n, trans_b ? k : 1}, m, n, k, (double)alpha, truth);
    for (size_t i = 0; i < m && c_shape[0] != 0; i++)
      for (size_t j = 0; j < n; j++) {
        const size_t row = c_shape[0] > 1 ? i : 0, column = c_shape[1] == 1 ? 0 : j;
        truth[i * n + j] += (double)beta * (double)values(&host, 2)[row * (c_shape[1] == 1 ? 1 : n) + column];
      }
    snprintf(what, sizeof what, "gemm %zu: %zu x %zu x %zu", turn, m, n, k);
    node_check(&host, what, truth, SHAPE((int64_t)m, (int64_t)n), RG_ROW_MAJOR);
    free(truth);
    node_end(&host);
  }
}

typedef struct matmul_case {
  rg_shape a, b, y;
} matmul_case;

static void test_matmul(void **state) {
  const matmul_case cases[] = {
      {{2, {5, 7}}, {2, {7, 33}}, {2, {5, 33}}},
      {{3, {3, 5, 7}}, {2, {7, 9}}, {3, {3, 5, 9}}},
      {{3, {3, 5, 7}}, {3, {1, 7, 9}}, {3, {3, 5, 9}}},
      {{2, {5, 7}}, {3, {4, 7, 9}}, {3, {4, 5, 9}}},
      {{4, {2, 3, 5, 8}}, {4, {2, 3, 8, 40}}, {4, {2, 3, 5, 40}}},
      {{4, {2, 1, 5, 8}}, {3, {3, 8, 6}}, {4, {2, 3, 5, 6}}},
      {{4, {1, 3, 5, 8}}, {4, {2, 1, 8, 6}}, {4, {2, 3, 5, 6}}},
      {{1, {16}}, {2, {16, 10}}, {1, {10}}},
      {{1, {16}}, {3, {4, 16, 10}}, {2, {4, 10}}},
      {{2, {9, 16}}, {1, {16}}, {1, {9}}},
      {{3, {2, 9, 16}}, {1, {16}}, {2, {2, 9}}},
      {{1, {16}}, {1, {16}}, {0, {0}}},
      {{3, {12, 64, 64}}, {3, {12, 64, 64}}, {3, {12, 64, 64}}},
  };
  (void)state;
  for (size_t turn = 0; turn < 2 * sizeof cases / sizeof *cases; turn++) {
    const matmul_case *c = &cases[turn / 2];
    const size_t k = (size_t)c->a.dims[c->a.rank - 1], m = c->a.rank > 1 ? (size_t)c->a.dims[c->a.rank - 2] : 1;
    const size_t n = c->b.rank > 1 ? (size_t)c->b.dims[c->b.rank - 1] : 1;
    int64_t count;
    check_ok(rg_shape_count(&c->y, &count));
    node_host host;
    node_begin(&host, "", "MatMul", 2, turn);
    node_input(&host, 0, false, RG_ROW_MAJOR, &c->a);
    node_input(&host, 1, turn % 2 != 0, RG_ROW_MAJOR, &c->b);
    double *truth = malloc((size_t)count * sizeof *truth);
    const int batch_rank = (c->a.rank > c->b.rank ? c->a.rank : c->b.rank) - 2;
    for (size_t item = 0; item < (size_t)count / (m * n); item++) {
      size_t left = item, a_at = 0, b_at = 0, a_step = m * k, b_step = k * n;
      for (int axis = 0; axis < batch_rank; axis++) { /* from the innermost batch dimension outwards */
        const int a_axis = c->a.rank - 3 - axis, b_axis = c->b.rank - 3 - axis;
        const size_t a_size = a_axis >= 0 ? (size_t)c->a.dims[a_axis] : 1;
        const size_t b_size = b_axis >= 0 ? (size_t)c->b.dims[b_axis] : 1, size = a_size > b_size ? a_size : b_size;
        if (a_size > 1) a_at += left % size * a_step;
        if (b_size > 1) b_at += left % size * b_step;
        a_step *= a_size;
        b_step *= b_size;
        left /= size;
      }
      multiply(&(matrix){values(&host, 0) + a_at, k, 1}, &(matrix){values(&host, 1) + b_at, n, 1}, m, n, k, 1.0,
               truth + item * m * n);
    }
    char what[40];
    snprintf(what, sizeof what, "matmul %zu", turn);
    node_check(&host, what, truth, &c->y, RG_ROW_MAJOR);
    free(truth);
    node_end(&host);
  }
}

static void test_low_rank_dense(void **state) {
  static const size_t ranks[] = {1, 4, 8, 15, 16, 17, 40};
  (void)state;
  for (size_t turn = 0; turn < 80; turn++) {
    const size_t m = rows_of[turn % 9], n = columns_of[turn % 12], r = ranks[turn % 7], k = 20 + turn;
    const bool trans1 = turn % 2 != 0, trans2 = turn % 3 != 0;
    const rg_activation activation = {turn % 2 ? RG_ACT_GELU : RG_ACT_RELU, 0.0f, 0.0f};
    const int64_t sm = (int64_t)m, sn = (int64_t)n, sr = (int64_t)r, sk = (int64_t)k;
    node_host host;
    char what[80];
    node_begin(&host, RG_PRIVATE_DOMAIN, "LowRankDense", 6, turn);
    check_ok(rg_node_set_int(host.node, "trans1", trans1));
    check_ok(rg_node_set_int(host.node, "trans2", trans2));
    check_ok(rg_activation_write(host.node, activation));
    node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(sm, sk));
    node_input(&host, 1, true, RG_ROW_MAJOR, trans1 ? SHAPE(sr, sk) : SHAPE(sk, sr));
    if (turn % 2) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(sr));
    node_input(&host, 3, turn % 9 != 4, RG_ROW_MAJOR, trans2 ? SHAPE(sn, sr) : SHAPE(sr, sn));
    if (turn % 4) node_input(&host, 4, true, RG_ROW_MAJOR, SHAPE(sn));
    if (turn % 3 == 0) node_input(&host, 5, false, RG_ROW_MAJOR, SHAPE(sm, sn));
    double *between = malloc(m * r * sizeof *between), *truth = malloc(m * n * sizeof *truth);
    float *rounded = malloc(m * r * sizeof *rounded);
    multiply(&(matrix){values(&host, 0), k, 1}, &(matrix){values(&host, 1), trans1 ? 1 : r, trans1 ? k : 1}, m, r, k,
             1.0, between);
    for (size_t i = 0; i < m * r; i++)
      rounded[i] = (float)(between[i] + (turn % 2 ? (double)values(&host, 2)[i % r] : 0.0));
    multiply(&(matrix){rounded, r, 1}, &(matrix){values(&host, 3), trans2 ? 1 : n, trans2 ? r : 1}, m, n, r, 1.0,
             truth);
    for (size_t i = 0; i < m * n; i++) {
      if (turn % 4) truth[i] += (double)values(&host, 4)[i % n];
      if (turn % 3 == 0) truth[i] += (double)values(&host, 5)[i];
      truth[i] = (double)rg_activation_apply(activation, (float)truth[i]);
    }
    snprintf(what, sizeof what, "pair %zu: %zu x %zu x %zu, rank %zu", turn, m, n, k, r);
    node_check(&host, what, truth, SHAPE(sm, sn), RG_ROW_MAJOR);
    free(between);
    free(rounded);
    free(truth);
    node_end(&host);
  }
}

static rango_status count_packs(void *to, const rango_tensor *weight, const void *argument) {
  memcpy(to, weight->data, weight->bytes);
  ++*(int *)(uintptr_t)argument;
  return RANGO_OK;
}

/* One packed copy a (weight, key), counted; gone with its last user. */
static void test_packed_cache(void **state) {
  rg_packed_cache *cache;
  rg_packed *first, *second, *other;
  rango_tensor weight;
  int packs = 0;
  (void)state;
  check_ok(rg_packed_cache_create(&cache));
  check_ok(rg_tensor_init(&weight, RANGO_FLOAT32, SHAPE(3, 4)));
  check_ok(rg_packed_get(cache, &weight, "a", 64, count_packs, &packs, &first));
  check_ok(rg_packed_get(cache, &weight, "a", 64, count_packs, &packs, &second));
  assert_ptr_equal(first, second);
  assert_int_equal(packs, 1);
  check_ok(rg_packed_get(cache, &weight, "b", 64, count_packs, &packs, &other));
  assert_ptr_not_equal(rg_packed_data(other), rg_packed_data(first));
  assert_int_equal(rg_packed_cache_bytes(cache), 128);
  rg_packed_release(first);
  assert_int_equal(rg_packed_cache_bytes(cache), 128);
  rg_packed_release(second);
  rg_packed_release(other);
  assert_int_equal(rg_packed_cache_bytes(cache), 0);
  rg_tensor_clear(&weight);
  rg_packed_cache_free(cache);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense),          cmocka_unit_test(test_gemm),         cmocka_unit_test(test_matmul),
      cmocka_unit_test(test_low_rank_dense), cmocka_unit_test(test_packed_cache),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
