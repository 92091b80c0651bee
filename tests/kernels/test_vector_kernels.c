/* Vector kernels on random sizes and values against the same written plainly in double precision. */
#include "vector_test.h"

#define ROUNDS 60

static size_t size_below(rg_random *random, size_t bound) { return 1 + (size_t)rg_random_below(random, bound); }

/* ---- binary, compare, where ---- */

static double binary_of(rg_binary op, double a, double b) {
  switch (op) {
  case RG_BINARY_ADD:
    return a + b;
  case RG_BINARY_SUB:
    return a - b;
  case RG_BINARY_MUL:
    return a * b;
  case RG_BINARY_DIV:
    return a / b;
  case RG_BINARY_MIN:
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
  case RG_BINARY_MAX:
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
  default:
    return a < 0 ? a * b : a;
  }
}

static bool compare_of(rg_compare op, float a, float b) {
  switch (op) {
  case RG_COMPARE_EQUAL:
    return a == b;
  case RG_COMPARE_LESS:
    return a < b;
  case RG_COMPARE_LESS_EQUAL:
    return a <= b;
  case RG_COMPARE_GREATER:
    return a > b;
  default:
    return a >= b;
  }
}

static float at(const rg_operand *o, size_t r, size_t c) { return o->data[r * o->row + (o->scalar ? 0 : c)]; }

static rg_operand random_operand(rg_random *random, size_t rows, size_t cols, guarded *memory) {
  const bool scalar = rg_random_below(random, 3) == 0, one_row = rg_random_below(random, 3) == 0;
  const size_t width = scalar ? 1 : cols, row = one_row ? 0 : width;
  *memory = guarded_random(random, one_row ? width : rows * width, -3, 3);
  for (size_t i = 0; i < memory->n; i++) {
    if (rg_random_below(random, 6) == 0) memory->data[i] = 1.0f; /* for Equal */
    if (rg_random_below(random, 40) == 0) memory->data[i] = NAN;
  }
  return (rg_operand){memory->data, row, scalar};
}

static void check_binary(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 11);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = size_below(&random, 5), cols = size_below(&random, 70);
    guarded ma, mb, y = guarded_new(rows * cols, round % 3);
    const rg_operand a = random_operand(&random, rows, cols, &ma), b = random_operand(&random, rows, cols, &mb);
    for (int op = 0; op < RG_BINARY_COUNT; op++) {
      k->binary((rg_binary)op, &a, &b, y.data, rows, cols);
      for (size_t i = 0; i < rows * cols; i++) {
        const float left = at(&a, i / cols, i % cols), right = at(&b, i / cols, i % cols);
        assert_close(y.data[i], binary_of((rg_binary)op, (double)left, (double)right), 1e-7, "binary", i);
      }
    }
    uint8_t *bytes = (uint8_t *)y.data;
    for (int op = 0; op < RG_COMPARE_COUNT; op++) {
      memset(bytes, 0xa5, rows * cols + 1);
      k->compare((rg_compare)op, &a, &b, bytes, rows, cols);
      for (size_t i = 0; i < rows * cols; i++)
        assert_int_equal(bytes[i], compare_of((rg_compare)op, at(&a, i / cols, i % cols), at(&b, i / cols, i % cols)));
      assert_int_equal(bytes[rows * cols], 0xa5);
    }
    guarded_free(&ma);
    guarded_free(&mb);
    guarded_free(&y);
  }
}

static void check_where(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 12);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t n = size_below(&random, 90);
    const bool a_scalar = round & 1, b_scalar = round & 2;
    guarded a = guarded_random(&random, a_scalar ? 1 : n, -1, 1), b = guarded_random(&random, b_scalar ? 1 : n, 2, 3);
    guarded y = guarded_new(n, 1);
    uint8_t *condition = malloc(n);
    for (size_t i = 0; i < n; i++)
      condition[i] = (uint8_t)(rg_random_below(&random, 2) * (1 + rg_random_below(&random, 255)));
    k->where(condition, a.data, a_scalar, b.data, b_scalar, y.data, n);
    for (size_t i = 0; i < n; i++)
      assert_true(y.data[i] == (condition[i] ? a.data[a_scalar ? 0 : i] : b.data[b_scalar ? 0 : i]));
    free(condition);
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&y);
  }
}

/* ---- reductions ---- */

static double reduce_of(rg_reduce op, const float *x, size_t step, size_t n) {
  double best = op == RG_REDUCE_MAX ? -INFINITY : op == RG_REDUCE_MIN ? INFINITY : 0;
  for (size_t i = 0; i < n; i++) {
    const double v = (double)x[i * step];
    if (op == RG_REDUCE_SUM) best += v;
    if (op == RG_REDUCE_SUM_SQUARE) best += v * v;
    if (op == RG_REDUCE_SUM_ABS) best += fabs(v);
    if (op == RG_REDUCE_MAX && !(v <= best)) best = isnan(best) ? best : v;
    if (op == RG_REDUCE_MIN && !(v >= best)) best = isnan(best) ? best : v;
  }
  return best;
}

static void check_reduce(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 13);
  for (int round = 0; round < ROUNDS; round++) {
    const bool tall = round % 10 == 0;
    const size_t rows = tall ? 2500 : size_below(&random, 9), cols = round % 10 == 1 ? 3000 : size_below(&random, 150);
    const size_t stride = cols + rg_random_below(&random, 4);
    guarded x = guarded_random(&random, rows * stride, -2, 3), y = guarded_new(rows + cols, 2);
    if (round % 4 == 0) x.data[rg_random_below(&random, x.n)] = NAN;
    for (int op = 0; op < RG_REDUCE_COUNT; op++) {
      k->reduce_rows((rg_reduce)op, x.data, y.data, rows, cols);
      for (size_t r = 0; r < rows; r++)
        assert_close(y.data[r], reduce_of((rg_reduce)op, x.data + r * cols, 1, cols), 3e-6, "reduce_rows", r);
      k->reduce_columns((rg_reduce)op, x.data, stride, y.data, rows, cols);
      for (size_t c = 0; c < cols; c++)
        assert_close(y.data[c], reduce_of((rg_reduce)op, x.data + c, stride, rows), 3e-6, "reduce_columns", c);
    }
    guarded_free(&x);
    guarded_free(&y);
  }
}

/* ---- softmax ---- */

static void softmax_of(const float *x, size_t step, size_t n, bool logarithm, double *y) {
  double largest = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, (double)x[i * step]);
  for (size_t i = 0; i < n; i++) sum += exp((double)x[i * step] - largest);
  for (size_t i = 0; i < n; i++) {
    const double d = (double)x[i * step] - largest;
    y[i] = logarithm ? d - log(sum) : exp(d) / sum;
  }
}

static void check_softmax(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 14);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = round % 7 == 2 ? 150 : size_below(&random, 6);
    const size_t cols = round % 9 == 0 ? 2100 : round % 7 == 2 ? size_below(&random, 16) : size_below(&random, 80);
    const size_t stride = cols + rg_random_below(&random, 3);
    const bool logarithm = round & 1;
    guarded x = guarded_random(&random, rows * stride, -30, 30), y = guarded_new(rows * stride, 1);
    double *truth = malloc((rows + cols) * sizeof *truth);
    if (round % 5 == 0) x.data[0] = -INFINITY;
    k->softmax_rows(x.data, y.data, rows, cols, logarithm);
    for (size_t r = 0; r < rows; r++) {
      softmax_of(x.data + r * cols, 1, cols, logarithm, truth);
      for (size_t c = 0; c < cols; c++) assert_close(y.data[r * cols + c], truth[c], 1e-6, "softmax_rows", c);
    }
    k->softmax_columns(x.data, y.data, stride, rows, cols, logarithm);
    for (size_t c = 0; c < cols; c++) {
      if (rows == 1 && isinf(x.data[c])) continue; /* nothing but -infinity: NaN */
      softmax_of(x.data + c, stride, rows, logarithm, truth);
      for (size_t r = 0; r < rows; r++) assert_close(y.data[r * stride + c], truth[r], 1e-6, "softmax_columns", r);
    }
    free(truth);
    guarded_free(&x);
    guarded_free(&y);
  }
}

static void check_attention(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 21);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = size_below(&random, 6), cols = round % 9 == 0 ? 2100 : size_below(&random, 80);
    const size_t stride = cols + rg_random_below(&random, 3), mask_row = round % 3 == 1 ? 0 : cols;
    guarded x = guarded_random(&random, rows * stride, -30, 30), sums = guarded_new(rows, 1);
    guarded mask = guarded_random(&random, rows * cols, -3, 3);
    double *truth = malloc(cols * sizeof *truth);
    if (round % 5 == 0 && cols > 1) mask.data[0] = -INFINITY;
    float *from = malloc(rows * stride * sizeof *from);
    memcpy(from, x.data, rows * stride * sizeof *from);
    k->attention_weights(round % 3 ? mask.data : NULL, mask_row, x.data, stride, rows, cols, sums.data);
    for (size_t r = 0; r < rows; r++) {
      float *row = from + r * stride;
      for (size_t c = 0; c < cols && round % 3; c++) row[c] += mask.data[r * mask_row + c];
      softmax_of(row, 1, cols, false, truth);
      for (size_t c = 0; c < cols; c++)
        assert_close(x.data[r * stride + c] / sums.data[r], truth[c], 1e-6, "attention_weights", c);
    }
    free(truth);
    free(from);
    guarded_free(&x);
    guarded_free(&sums);
    guarded_free(&mask);
  }
}

/* ---- normalisation ---- */

static void moments_of(const float *x, size_t step, size_t n, double *mean, double *variance) {
  *mean = *variance = 0;
  for (size_t i = 0; i < n; i++) *mean += (double)x[i * step] / (double)n;
  for (size_t i = 0; i < n; i++) *variance += pow((double)x[i * step] - *mean, 2) / (double)n;
}

static void check_norm(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 15);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = size_below(&random, 7), cols = round % 9 == 0 ? 2500 : 2 + size_below(&random, 100);
    const bool rms = round & 1;
    guarded x = guarded_random(&random, rows * cols, 90, 110), y = guarded_new(rows * cols, 2);
    guarded gamma = guarded_random(&random, cols, -1, 1), beta = guarded_random(&random, cols, -1, 1);
    guarded mean = guarded_new(rows + cols, 0), inverse = guarded_new(rows + cols, 1);
    k->layer_norm(x.data, y.data, rows, cols, round & 2 ? gamma.data : NULL, round & 4 ? beta.data : NULL, 1e-5f, rms,
                  mean.data, inverse.data);
    for (size_t r = 0; r < rows; r++) {
      double m, v;
      moments_of(x.data + r * cols, 1, cols, &m, &v);
      const double factor = 1 / sqrt((rms ? v + m * m : v) + (double)1e-5f);
      assert_close(mean.data[r], rms ? 0 : m, 3e-7, "mean", r);
      assert_close(inverse.data[r], factor, 1e-5, "inverse", r);
      for (size_t c = 0; c < cols; c++) {
        const double g = round & 2 ? (double)gamma.data[c] : 1, b = round & 4 ? (double)beta.data[c] : 0;
        assert_close(y.data[r * cols + c], ((double)x.data[r * cols + c] - (rms ? 0 : m)) * factor * g + b, 2e-5,
                     "layer_norm", c);
      }
      float row_mean, row_variance;
      k->moments(x.data + r * cols, cols, &row_mean, &row_variance);
      assert_close(row_mean, m, 3e-7, "moments", r);
      assert_close(row_variance, v, 1e-5, "moments", r);
    }
    k->column_moments(x.data, cols, rows, cols, mean.data, inverse.data);
    for (size_t c = 0; c < cols; c++) {
      double m, v;
      moments_of(x.data + c, cols, rows, &m, &v);
      assert_close(mean.data[c], m, 1e-6, "column mean", c);
      assert_close(inverse.data[c], v, 1e-4, "column variance", c);
    }
    guarded rs = guarded_random(&random, rows, -2, 2), rb = guarded_random(&random, rows, -2, 2);
    k->scale_rows(x.data, y.data, rows, cols, rs.data, rb.data);
    for (size_t i = 0; i < rows * cols; i++)
      assert_close(y.data[i], (double)x.data[i] * (double)rs.data[i / cols] + (double)rb.data[i / cols], 1e-6, "rows",
                   i);
    k->scale_columns(x.data, y.data, rows, cols, gamma.data, beta.data);
    for (size_t i = 0; i < rows * cols; i++)
      assert_close(y.data[i], (double)x.data[i] * (double)gamma.data[i % cols] + (double)beta.data[i % cols], 1e-6,
                   "columns", i);
    guarded *all[] = {&x, &y, &gamma, &beta, &mean, &inverse, &rs, &rb};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
  }
}

/* ---- moving ---- */

static void check_transpose(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 16);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = size_below(&random, 90), cols = size_below(&random, 90);
    const size_t ldx = cols + rg_random_below(&random, 3), ldy = rows + rg_random_below(&random, 3);
    guarded x = guarded_random(&random, rows * ldx, -1, 1), y = guarded_new((cols - 1) * ldy + rows, 1);
    memset(y.data, 0xa5, y.n * sizeof(float));
    uint32_t quiet = 0x7f800001u; /* a signalling NaN keeps its bits */
    memcpy(x.data, &quiet, sizeof quiet);
    k->transpose(x.data, ldx, y.data, ldy, rows, cols);
    for (size_t c = 0; c < cols; c++)
      for (size_t r = 0; r < ldy && c * ldy + r < y.n; r++) {
        if (r < rows)
          assert_memory_equal(&y.data[c * ldy + r], &x.data[r * ldx + c], sizeof(float));
        else
          assert_memory_equal(&y.data[c * ldy + r], "\xa5\xa5\xa5\xa5", sizeof(float));
      }
    guarded_free(&x);
    guarded_free(&y);
  }
}

static void check_pool(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 17);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t channels = size_below(&random, 40), width = 12, height = 4, stride = size_below(&random, 3);
    const rg_pool_row shape = {.maximum = round & 1,
                               .scale = 0.25f,
                               .channels = channels,
                               .kernel_h = size_below(&random, 3),
                               .kernel_w = size_below(&random, 3),
                               .row = width * channels,
                               .col = channels,
                               .step = stride * channels};
    const size_t count = (width - shape.kernel_w) / stride + 1;
    guarded x = guarded_random(&random, height * width * channels, -1, 1), y = guarded_new(count * channels, 1);
    if (round % 3 == 0) x.data[rg_random_below(&random, x.n)] = NAN;
    k->pool_row(&shape, x.data, y.data, count);
    for (size_t i = 0; i < count * channels; i++) {
      double sum = shape.maximum ? -INFINITY : 0;
      for (size_t t = 0; t < shape.kernel_h * shape.kernel_w; t++) {
        const double v = (double)x.data[t / shape.kernel_w * shape.row + t % shape.kernel_w * shape.col +
                                        i / channels * shape.step + i % channels];
        sum = !shape.maximum ? sum + v : isnan(sum) || isnan(v) ? NAN : fmax(sum, v);
      }
      assert_close(y.data[i], shape.maximum ? sum : sum * 0.25, 1e-6, "pool_row", i);
    }
    guarded_free(&x);
    guarded_free(&y);
  }
}

static void check_blend(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 18);
  for (size_t n = 1; n < 70; n++) {
    guarded x = guarded_random(&random, 4 * n, -1, 1), y = guarded_new(n, 1);
    const size_t count = size_below(&random, 4);
    const float *rows[] = {x.data, x.data + n, x.data + 2 * n, x.data + 3 * n};
    const float weight[] = {0.5f, -0.25f, 2.0f, 1.0f};
    k->blend(rows, weight, count, y.data, n);
    for (size_t i = 0; i < n; i++) {
      double sum = 0;
      for (size_t c = 0; c < count; c++) sum += (double)weight[c] * (double)rows[c][i];
      assert_close(y.data[i], sum, 1e-6, "blend", i);
    }
    guarded_free(&x);
    guarded_free(&y);
  }
}

static void check_conversions(const rg_vector_kernels *k, const char *isa) {
  enum { ALL = 65536 };
  uint16_t *half = malloc(ALL * sizeof *half), *back = malloc(ALL * sizeof *back);
  int32_t *wide = malloc(ALL * sizeof *wide);
  float *y = malloc(ALL * sizeof *y);
  for (int i = 0; i < ALL; i++) {
    half[i] = (uint16_t)i;
    wide[i] = (int32_t)((uint32_t)i * 65537u + 12345u);
  }
  for (size_t cut = 0; cut < 20; cut++) { /* the same with other tails */
    const size_t n = ALL - cut;
    k->from_half(half, y, n);
    for (size_t i = 0; i < n; i++)
      assert_true(y[i] == rg_half_to_float(half[i]) || (isnan(y[i]) && isnan(rg_half_to_float(half[i]))));
    k->to_half(y, back, n);
    for (size_t i = 0; i < n; i++) assert_true(back[i] == half[i] || isnan(y[i]));
    k->from_u8((const uint8_t *)half, y, n);
    for (size_t i = 0; i < n; i++) assert_true(y[i] == (float)((const uint8_t *)half)[i]);
    k->from_i8((const int8_t *)half, y, n);
    for (size_t i = 0; i < n; i++) assert_true(y[i] == (float)((const int8_t *)half)[i]);
    k->from_i32(wide, y, n);
    for (size_t i = 0; i < n; i++) assert_true(y[i] == (float)wide[i]);
  }
  rg_random random;
  rg_random_seed(&random, 19);
  for (size_t i = 0; i < ALL; i++)
    y[i] = uniform(&random, -1, 1) * ldexpf(1.0f, (int)rg_random_below(&random, 45) - 27);
  k->to_half(y, back, ALL);
  for (size_t i = 0; i < ALL; i++) assert_int_equal(back[i], rg_float_to_half(y[i]));
  free(half);
  free(back);
  free(wide);
  free(y);
}

/* ---- recurrent ---- */

static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }

/* A row's result is the same whatever rows are beside it. */
static void check_row_product(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 22);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t rows = 1 + (size_t)round % RG_ROW_PRODUCT_MAX, inner = size_below(&random, 60);
    const size_t n = size_below(&random, 300), w_row = n + rg_random_below(&random, 3);
    const size_t x_row = inner + rg_random_below(&random, 3), y_row = n + rg_random_below(&random, 3);
    const size_t c_row = round % 5 == 0 ? 0 : n;
    guarded x = guarded_random(&random, rows * x_row, -1, 1), w = guarded_random(&random, inner * w_row, -1, 1);
    guarded c = guarded_random(&random, rows * n, -1, 1), y = guarded_new(rows * y_row, 1), alone = guarded_new(n, 2);
    rg_row_product product = {.rows = rows,
                              .k = inner,
                              .n = n,
                              .x = x.data,
                              .x_row = x_row,
                              .w = w.data,
                              .w_row = w_row,
                              .c = round % 7 == 0 ? NULL : c.data,
                              .c_row = c_row,
                              .y = y.data,
                              .y_row = y_row};
    k->row_product(&product);
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < n; j++) {
        double sum = round % 7 == 0 ? 0 : (double)c.data[i * c_row + j];
        for (size_t q = 0; q < inner; q++) sum += (double)x.data[i * x_row + q] * (double)w.data[q * w_row + j];
        assert_close(y.data[i * y_row + j], sum, 1e-5, "row_product", j);
      }
    product.rows = 1;
    product.x += (rows - 1) * x_row;
    if (product.c) product.c += (rows - 1) * c_row;
    product.y = alone.data;
    k->row_product(&product);
    assert_memory_equal(alone.data, y.data + (rows - 1) * y_row, n * sizeof(float));
    guarded *all[] = {&x, &w, &c, &y, &alone};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
  }
}

static void check_recurrent(const rg_vector_kernels *k, const char *isa) {
  rg_random random;
  rg_random_seed(&random, 20);
  for (int round = 0; round < ROUNDS; round++) {
    const size_t n = size_below(&random, 300);
    guarded gates = guarded_random(&random, 4 * n, -3, 3), p = guarded_random(&random, 3 * n, -1, 1);
    guarded cell = guarded_random(&random, n, -1, 1), before = guarded_new(n, 0), y = guarded_new(n, 1);
    memcpy(before.data, cell.data, n * sizeof(float));
    const bool peep = round & 1;
    k->lstm_step(gates.data, peep ? p.data : NULL, cell.data, y.data, n);
    for (size_t j = 0; j < n; j++) {
      const double old = (double)before.data[j];
      const double i = sigmoid_of((double)gates.data[j] + (peep ? (double)p.data[j] * old : 0));
      const double f = sigmoid_of((double)gates.data[2 * n + j] + (peep ? (double)p.data[2 * n + j] * old : 0));
      const double now = f * old + i * tanh((double)gates.data[3 * n + j]);
      const double o = sigmoid_of((double)gates.data[n + j] + (peep ? (double)p.data[n + j] * now : 0));
      assert_close(cell.data[j], now, 1e-6, "cell", j);
      assert_close(y.data[j], o * tanh(now), 1e-6, "hidden", j);
    }
    k->gru_reset(gates.data, before.data, y.data, n);
    for (size_t j = 0; j < n; j++)
      assert_close(y.data[j], sigmoid_of((double)gates.data[n + j]) * (double)before.data[j], 1e-6, "reset", j);
    memcpy(y.data, before.data, n * sizeof(float));
    k->gru_update(gates.data, p.data, y.data, n);
    for (size_t j = 0; j < n; j++) {
      const double z = sigmoid_of((double)gates.data[j]);
      assert_close(y.data[j], (1 - z) * tanh((double)p.data[j]) + z * (double)before.data[j], 1e-6, "update", j);
    }
    guarded *all[] = {&y, &gates, &p, &cell, &before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
  }
}

#define TEST(name)                                                                                                     \
  static void test_##name(void **state) { for_each_isa(check_##name); }
TEST(binary)
TEST(where)
TEST(reduce)
TEST(softmax)
TEST(attention)
TEST(norm)
TEST(transpose)
TEST(pool)
TEST(blend)
TEST(conversions)
TEST(row_product)
TEST(recurrent)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_binary),    cmocka_unit_test(test_where),     cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_softmax),   cmocka_unit_test(test_norm),      cmocka_unit_test(test_transpose),
      cmocka_unit_test(test_pool),      cmocka_unit_test(test_blend),     cmocka_unit_test(test_conversions),
      cmocka_unit_test(test_recurrent), cmocka_unit_test(test_attention), cmocka_unit_test(test_row_product),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
