/* Large products by the kernel table's sgemm (a RANGO_CBLAS build) against sums in double precision: everything that
 * comes with a product, weights that aren't packed, and small products that stay with the kernels. */
#include "kernels/table.h"
#include "matrix.h"
#include "node_host.h"

enum { M = 160, N = 170, K = 180 }; /* above what rg_product_takes_sgemm asks for */

static const float *values(const node_host *host, int input) { return host->inputs[input].data; }

/* Checks the node; with sgemm nothing is packed, so that a constant right operand leaves it without scratch. */
static void check_unpacked(node_host *host, const char *what, const double *truth, const rg_shape *shape) {
  node_check(host, what, truth, shape, RG_ROW_MAJOR);
  assert_int_equal(host->scratch_bytes, 0);
  node_end(host);
}

static void test_table(void **state) {
  (void)state;
  static float a[5 * 7], b[7 * 6], c[5 * 6], before[5 * 6];
  double truth[5 * 6];
  const rg_kernels *kernels;
  rg_random random;
  rg_random_seed(&random, 3);
  check_ok(rg_kernels_get(NULL, &kernels));
  assert_non_null(kernels->sgemm);
  for (size_t turn = 0; turn < 8; turn++) {
    const bool a_transposed = turn & 1, b_transposed = turn & 2;
    const float beta = turn & 4 ? 1.0f : 0.0f;
    for (size_t i = 0; i < 5 * 7; i++) a[i] = (float)rg_random_uniform(&random);
    for (size_t i = 0; i < 7 * 6; i++) b[i] = (float)rg_random_uniform(&random);
    for (size_t i = 0; i < 5 * 6; i++) c[i] = before[i] = beta == 0.0f ? NAN : (float)rg_random_uniform(&random);
    multiply(&(matrix){a, a_transposed ? 1 : 7, a_transposed ? 5 : 1},
             &(matrix){b, b_transposed ? 1 : 6, b_transposed ? 7 : 1}, 5, 6, 7, 0.5, truth);
    kernels->sgemm(&(rg_sgemm){.m = 5,
                               .n = 6,
                               .k = 7,
                               .a = a,
                               .b = b,
                               .a_transposed = a_transposed,
                               .b_transposed = b_transposed,
                               .a_row = a_transposed ? 5 : 7,
                               .b_row = b_transposed ? 7 : 6,
                               .alpha = 0.5f,
                               .beta = beta,
                               .c = c});
    for (size_t i = 0; i < 5 * 6; i++)
      assert_true(fabs(c[i] - truth[i] - (beta == 0.0f ? 0.0 : (double)before[i])) < 1e-5);
  }
}

static void test_dense(void **state) {
  (void)state;
  for (int turn = 0; turn < 8; turn++) {
    const bool trans = turn & 1, bias = turn & 2, residual = turn & 4;
    const rg_activation activation = {turn % 3 == 0   ? RG_ACT_NONE
                                      : turn % 3 == 1 ? RG_ACT_CLIP
                                                      : RG_ACT_GELU,
                                      -0.5f, 0.5f};
    static double truth[M * N];
    node_host host;
    node_begin(&host, RG_PRIVATE_DOMAIN, "Dense", 4, (uint64_t)turn);
    check_ok(rg_node_set_int(host.node, "trans", trans));
    check_ok(rg_activation_write(host.node, activation));
    node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(2, M / 2, K));
    node_input(&host, 1, true, RG_ROW_MAJOR, trans ? SHAPE(N, K) : SHAPE(K, N));
    if (bias) node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(N));
    if (residual) node_input(&host, 3, false, RG_ROW_MAJOR, SHAPE(2, M / 2, N));
    multiply(&(matrix){values(&host, 0), K, 1}, &(matrix){values(&host, 1), trans ? 1 : N, trans ? K : 1}, M, N, K, 1.0,
             truth);
    for (size_t i = 0; i < M * N; i++) {
      if (bias) truth[i] += (double)values(&host, 2)[i % N];
      if (residual) truth[i] += (double)values(&host, 3)[i];
      truth[i] = (double)rg_activation_apply(activation, (float)truth[i]);
    }
    check_unpacked(&host, "dense", truth, SHAPE(2, M / 2, N));
  }
}

static void test_gemm(void **state) {
  (void)state;
  for (int turn = 0; turn < 4; turn++) {
    const bool trans_a = turn & 1, trans_b = turn & 2;
    static double truth[M * N];
    node_host host;
    node_begin(&host, "", "Gemm", 3, (uint64_t)turn);
    check_ok(rg_node_set_int(host.node, "transA", trans_a));
    check_ok(rg_node_set_int(host.node, "transB", trans_b));
    check_ok(rg_node_set_float(host.node, "alpha", 0.5f));
    node_input(&host, 0, false, RG_ROW_MAJOR, trans_a ? SHAPE(K, M) : SHAPE(M, K));
    node_input(&host, 1, true, RG_ROW_MAJOR, trans_b ? SHAPE(N, K) : SHAPE(K, N));
    node_input(&host, 2, true, RG_ROW_MAJOR, SHAPE(N));
    multiply(&(matrix){values(&host, 0), trans_a ? 1 : K, trans_a ? M : 1},
             &(matrix){values(&host, 1), trans_b ? 1 : N, trans_b ? K : 1}, M, N, K, 0.5, truth);
    for (size_t i = 0; i < M * N; i++) truth[i] += (double)values(&host, 2)[i % N];
    check_unpacked(&host, "gemm", truth, SHAPE(M, N));
  }
}

/* Two matrices times two, and two times one. */
static void test_matmul(void **state) {
  (void)state;
  for (int shared = 0; shared < 2; shared++) {
    static double truth[2 * M * N];
    node_host host;
    node_begin(&host, "", "MatMul", 2, (uint64_t)shared);
    node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(2, M, K));
    node_input(&host, 1, false, RG_ROW_MAJOR, shared ? SHAPE(K, N) : SHAPE(2, K, N));
    for (size_t item = 0; item < 2; item++)
      multiply(&(matrix){values(&host, 0) + item * M * K, K, 1},
               &(matrix){values(&host, 1) + (shared ? 0 : item * K * N), N, 1}, M, N, K, 1.0, truth + item * M * N);
    check_unpacked(&host, "matmul", truth, SHAPE(2, M, N));
  }
}

static void test_small_products_stay(void **state) {
  (void)state;
  static double truth[20 * 20];
  node_host host;
  node_begin(&host, "", "MatMul", 2, 1);
  node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(20, 20));
  node_input(&host, 1, true, RG_ROW_MAJOR, SHAPE(20, 20));
  multiply(&(matrix){values(&host, 0), 20, 1}, &(matrix){values(&host, 1), 20, 1}, 20, 20, 20, 1.0, truth);
  node_check(&host, "small", truth, SHAPE(20, 20), RG_ROW_MAJOR);
  assert_true(host.scratch_bytes > 0);
  node_end(&host);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_gemm),
      cmocka_unit_test(test_matmul),
      cmocka_unit_test(test_small_products_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
