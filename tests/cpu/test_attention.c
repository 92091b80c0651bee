/* rango.Attention, and the portable code behind it, against sums in double precision. */
#include "node_host.h"

/* A batch of matrices in an input: the axes of [batch, head, row, column] among the input's, where [batch, head] may be
 * missing, and an axis on which place 1 is read. */
typedef struct form {
  const char *what;
  int rank;
  int axes[4]; /* of the input; -1: the operand has no such axis */
  int picked;  /* axis of the input that holds 3 places; -1: none */
} form;

static const form forms[] = {
    {"rows by heads", 4, {0, 2, 1, 3}, -1},         {"as it comes", 4, {0, 1, 2, 3}, -1},
    {"columns before rows", 4, {0, 1, 3, 2}, -1},   {"one of three, joint", 5, {0, 3, 1, 4}, 2},
    {"one of three, in front", 5, {1, 2, 3, 4}, 0}, {"one head", 3, {-1, 0, 1, 2}, -1},
    {"one matrix for all", 2, {-1, -1, 0, 1}, -1},
};
#define FORMS (sizeof forms / sizeof *forms)

typedef struct sizes {
  size_t batch, heads, rows, keys, inner, columns;
} sizes;

static void place_operand(node_host *host, int input, const form *f, size_t batch, size_t heads, size_t rows,
                          size_t columns) {
  const char *names[][2] = {{"q_axes", "q_pick"}, {"k_axes", "k_pick"}, {"v_axes", "v_pick"}};
  const size_t dims[4] = {batch, heads, rows, columns};
  rg_shape shape = {.rank = f->rank};
  int64_t axes[4], pick[2] = {f->picked, 1};
  size_t count = 0;
  for (int i = 0; i < 4; i++) {
    if (f->axes[i] < 0) continue;
    shape.dims[f->axes[i]] = (int64_t)dims[i];
    axes[count++] = f->axes[i];
  }
  if (f->picked >= 0) shape.dims[f->picked] = 3;
  node_input(host, input, false, RG_ROW_MAJOR, &shape);
  check_ok(rg_node_set_ints(host->node, names[input][0], axes, count));
  if (f->picked >= 0) check_ok(rg_node_set_ints(host->node, names[input][1], pick, 2));
}

/* Element [batch, head, row, column] of an operand. */
static double element(const node_host *host, int input, const form *f, const size_t *at) {
  const rango_tensor *tensor = &host->inputs[input];
  size_t index[5] = {0}, offset = 0;
  for (int i = 0; i < 4; i++)
    if (f->axes[i] >= 0) index[f->axes[i]] = at[i];
  if (f->picked >= 0) index[f->picked] = 1;
  for (int i = 0; i < f->rank; i++)
    offset = offset * (size_t)tensor->shape.dims[i] + (tensor->shape.dims[i] == 1 ? 0 : index[i]);
  return (double)((const float *)tensor->data)[offset];
}

/* The mask's value, its axes aligned at the right of [batch, head, row, key]. */
static double masked(const node_host *host, const size_t *at) {
  const rango_tensor *tensor = &host->inputs[3];
  size_t offset = 0;
  if (tensor->data == NULL) return 0;
  for (int i = 0; i < tensor->shape.rank; i++) {
    const size_t size = (size_t)tensor->shape.dims[i];
    offset = offset * size + (size == 1 ? 0 : at[4 - tensor->shape.rank + i]);
  }
  return (double)((const float *)tensor->data)[offset];
}

/* Row [batch, head, row] of the result. */
static void attend(const node_host *host, const form *const *f, const sizes *s, double scale, size_t *at, double *y) {
  double *weights = malloc(s->keys * sizeof *weights), largest = -INFINITY, sum = 0;
  const size_t row = at[2];
  const size_t seen = rg_node_int(host->node, "causal", 0) && row < s->keys ? row + 1 : s->keys;
  for (size_t j = 0; j < seen; j++) {
    double score = 0;
    for (size_t d = 0; d < s->inner; d++) {
      at[3] = d;
      const double q = element(host, 0, f[0], at);
      at[2] = j;
      score += q * element(host, 1, f[1], at);
      at[2] = row;
    }
    at[3] = j;
    weights[j] = scale * score + masked(host, at);
    largest = fmax(largest, weights[j]);
  }
  for (size_t j = 0; j < seen; j++) sum += weights[j] = exp(weights[j] - largest);
  for (size_t c = 0; c < s->columns; c++) {
    y[c] = 0;
    at[3] = c;
    for (size_t j = 0; j < seen; j++) {
      at[2] = j;
      y[c] += weights[j] / sum * element(host, 2, f[2], at);
    }
    at[2] = row;
  }
  free(weights);
}

static double *truth_of(const node_host *host, const form *const *f, const sizes *s, double scale, bool turned) {
  double *y = malloc(s->batch * s->heads * s->rows * s->columns * sizeof *y);
  size_t at[4];
  for (at[0] = 0; at[0] < s->batch; at[0]++)
    for (at[1] = 0; at[1] < s->heads; at[1]++)
      for (at[2] = 0; at[2] < s->rows; at[2]++) {
        const size_t place =
            turned ? (at[0] * s->rows + at[2]) * s->heads + at[1] : (at[0] * s->heads + at[1]) * s->rows + at[2];
        attend(host, f, s, scale, at, y + place * s->columns);
      }
  return y;
}

/* A mask for keys, for rows and keys (causal), for all, or none; some keys are hidden from every row. */
static void add_mask(node_host *host, size_t turn, const sizes *s) {
  const int64_t rows = (int64_t)s->rows, keys = (int64_t)s->keys;
  const rg_shape shapes[] = {{4, {(int64_t)s->batch, 1, 1, keys}},
                             {2, {rows, keys}},
                             {1, {keys}},
                             {4, {(int64_t)s->batch, (int64_t)s->heads, rows, keys}}};
  if (turn % 5 == 4) return;
  node_input(host, 3, turn % 2 == 0, RG_ROW_MAJOR, &shapes[turn % 5]);
  float *data = host->inputs[3].data;
  const size_t count = host->inputs[3].bytes / sizeof *data;
  for (size_t i = 0; i < count; i++) {
    const size_t key = i % s->keys, row = i / s->keys % s->rows;
    if (turn % 5 == 1 ? key > row : key % 3 == 1) data[i] = turn % 4 < 2 ? -INFINITY : -10000.0f;
  }
}

/* The same bits for any number of threads. */
static void check_threads(node_host *host, const rg_shape *shape, size_t count) {
  float *one, *three;
  for (const char *const *isa = node_isas(); *isa != NULL; isa++) {
    node_run(host, *isa, 1, RG_ROW_MAJOR, shape, &one);
    node_run(host, *isa, 3, RG_ROW_MAJOR, shape, &three);
    assert_memory_equal(one, three, count * sizeof(float));
    rg_free(one);
    rg_free(three);
  }
}

static void check_portable(node_host *host, const double *truth, size_t count) {
  rg_val vals[4] = {0}, y = {0};
  const rg_val *inputs[4];
  for (int i = 0; i < 4; i++) {
    vals[i] = (rg_val){.kind = RG_KIND_TENSOR, .tensor = host->inputs[i]};
    inputs[i] = host->inputs[i].data != NULL ? &vals[i] : NULL;
  }
  check_ok(rg_ops_resolve(host->model, true));
  check_ok(rg_op_evaluate(host->node, true, inputs, &y));
  node_compare("portable", y.tensor.data, truth, count, 2e-5);
  rg_val_clear(&y);
}

static void check_case(size_t turn, const form *const *f, const sizes *s) {
  const bool turned = turn % 2 == 1;
  const double scale = turn % 3 == 0 ? 1.0 : turn % 3 == 1 ? 2.5 : -0.75;
  const int64_t dims[] = {(int64_t)s->batch, (int64_t)s->heads, (int64_t)s->rows, (int64_t)s->columns};
  const rg_shape y = turned ? (rg_shape){4, {dims[0], dims[2], dims[1], dims[3]}}
                            : (rg_shape){4, {dims[0], dims[1], dims[2], dims[3]}};
  const size_t count = s->batch * s->heads * s->rows * s->columns;
  node_host host;
  char what[130];
  node_begin(&host, RG_PRIVATE_DOMAIN, "Attention", 4, turn);
  check_ok(rg_node_set_float(host.node, "scale", (float)scale));
  if (turned) check_ok(rg_node_set_ints(host.node, "axes", (const int64_t[]){0, 2, 1, 3}, 4));
  check_ok(rg_node_set_int(host.node, "causal", turn % 7 < 2));
  place_operand(&host, 0, f[0], s->batch, s->heads, s->rows, s->inner);
  place_operand(&host, 1, f[1], s->batch, turn % 4 == 3 ? 1 : s->heads, s->keys, s->inner);
  place_operand(&host, 2, f[2], s->batch, s->heads, s->keys, s->columns);
  add_mask(&host, turn, s);
  double *truth = truth_of(&host, f, s, scale, turned);
  snprintf(what, sizeof what, "attention %zu: %zu x %zu x %zu x %zu (%s, %s, %s)", turn, s->rows, s->keys, s->inner,
           s->columns, f[0]->what, f[1]->what, f[2]->what);
  node_check(&host, what, truth, &y, RG_ROW_MAJOR);
  check_threads(&host, &y, count);
  check_portable(&host, truth, count);
  free(truth);
  node_end(&host);
}

static void test_forms(void **state) {
  (void)state;
  static const size_t rows[] = {1, 2, 9, 33, 50}, keys[] = {1, 5, 16, 33, 65, 70}, inner[] = {1, 3, 8, 32, 33},
                      columns[] = {1, 4, 16, 20, 40};
  for (size_t turn = 0; turn < 70; turn++) {
    const sizes s = {1 + turn % 2,   1 + turn % 3,        rows[turn % 5],
                     keys[turn % 6], inner[turn / 5 % 5], columns[turn / 3 % 5]};
    /* The first operand has all axes, so that the result has. */
    const form *const f[] = {&forms[turn % 5], &forms[turn / 2 % FORMS], &forms[turn / 3 % FORMS]};
    check_case(turn, f, &s);
  }
}

/* Several blocks of rows for each matrix, and rows of more than 1024 keys. */
static void test_large(void **state) {
  (void)state;
  const form *const f[] = {&forms[0], &forms[0], &forms[0]};
  check_case(4, f, &(sizes){1, 2, 130, 200, 16, 16});
  check_case(7, f, &(sizes){1, 2, 130, 100, 16, 16}); /* causal: later blocks see more keys */
  check_case(5, f, &(sizes){1, 1, 20, 5000, 8, 8});
}

/* A row that may see nothing has no weights, as in Softmax; others are not touched by it. */
static void test_all_hidden(void **state) {
  (void)state;
  node_host host;
  float *y;
  node_begin(&host, RG_PRIVATE_DOMAIN, "Attention", 4, 1);
  node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(3, 8));
  node_input(&host, 1, false, RG_ROW_MAJOR, SHAPE(20, 8));
  node_input(&host, 2, false, RG_ROW_MAJOR, SHAPE(20, 4));
  node_input(&host, 3, false, RG_ROW_MAJOR, SHAPE(3, 20));
  for (size_t j = 0; j < 20; j++) ((float *)host.inputs[3].data)[20 + j] = -INFINITY;
  node_run(&host, NULL, 2, RG_ROW_MAJOR, SHAPE(3, 4), &y);
  for (size_t i = 0; i < 12; i++) assert_int_equal(isnan(y[i]), i / 4 == 1);
  rg_free(y);
  node_end(&host);
}

/* Wrong shapes and attributes are named, not run. */
static void test_refused(void **state) {
  (void)state;
  const int64_t wrong[][3] = {{0, 1, 1}, {0, 1, 3}, {0, 1, -1}};
  for (size_t i = 0; i < 5; i++) {
    node_host host;
    rg_val vals[3] = {0}, y = {0};
    const rg_val *inputs[3];
    node_begin(&host, RG_PRIVATE_DOMAIN, "Attention", 3, i);
    node_input(&host, 0, false, RG_ROW_MAJOR, SHAPE(2, 3, 8));
    node_input(&host, 1, false, RG_ROW_MAJOR, i == 3 ? SHAPE(2, 5, 7) : SHAPE(2, 5, 8));
    node_input(&host, 2, false, RG_ROW_MAJOR, i == 4 ? SHAPE(2, 6, 4) : SHAPE(2, 5, 4));
    if (i < 3) check_ok(rg_node_set_ints(host.node, "q_axes", wrong[i], 3));
    for (int j = 0; j < 3; j++) {
      vals[j] = (rg_val){.kind = RG_KIND_TENSOR, .tensor = host.inputs[j]};
      inputs[j] = &vals[j];
    }
    check_ok(rg_ops_resolve(host.model, true));
    assert_int_not_equal(rg_op_evaluate(host.node, true, inputs, &y), RANGO_OK);
    assert_non_null(strstr(rango_error_message(), "Attention"));
    rg_val_clear(&y);
    node_end(&host);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_large),
                                     cmocka_unit_test(test_all_hidden), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
