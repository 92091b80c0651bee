/* Small networks and data for the compression tests, and running the steps on them. */
#ifndef TESTS_COMPRESS_NETWORKS_H
#define TESTS_COMPRESS_NETWORKS_H

#include <stdlib.h>

#include "compress/compress.h"
#include "support/model.h"

static inline void finish(rango_model *model, rg_value *output) {
  check_ok(rg_graph_add_output(model->graph, output));
  check_ok(rg_ops_resolve(model, true));
}

/* A float constant with the caller's numbers. */
static inline rg_value *constant(rg_graph *graph, const char *name, int rank, const int64_t *dims,
                                 const float *numbers) {
  rango_tensor tensor;
  rg_value *value;
  rg_shape shape = model_shape(rank, dims);
  check_ok(rg_tensor_init(&tensor, RANGO_FLOAT32, &shape));
  memcpy(tensor.data, numbers, tensor.bytes);
  check_ok(rg_graph_add_constant(graph, name, &tensor, &value));
  return value;
}

/* [rows][columns] of this rank: a product of two random matrices. */
static inline float *low_rank_matrix(int64_t rows, int64_t columns, int64_t rank, uint64_t seed) {
  rg_random random;
  float *left = calloc((size_t)(rows * rank), sizeof *left), *right = calloc((size_t)(rank * columns), sizeof *right);
  float *out = calloc((size_t)(rows * columns), sizeof *out);
  rg_random_seed(&random, seed);
  for (int64_t i = 0; i < rows * rank; i++) left[i] = (float)(rg_random_normal(&random) / sqrt((double)rank));
  for (int64_t i = 0; i < rank * columns; i++) right[i] = (float)(rg_random_normal(&random) / sqrt((double)rows));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      for (int64_t k = 0; k < rank; k++) out[i * columns + j] += left[i * rank + k] * right[k * columns + j];
  free(left);
  free(right);
  return out;
}

/* Nothing in the model can be factored. The model is freed. */
static inline void check_no_sites(rango_model *model) {
  rg_sites sites;
  check_ok(rg_sites_find(model, &sites));
  assert_int_equal(sites.count, 0);
  rg_sites_free(&sites);
  rango_model_free(model);
}

/* Statistics and bases of a model's sites on rows of data. */
typedef struct bench {
  rango_model *model;
  rango_tensor *rows;
  rango_dataset *data;
  rg_calibration calibration;
  rg_sites sites;
  rg_statistics statistics[8];
  rg_basis bases[8][RG_FORM_COUNT];
} bench;

/* With the Fisher metric, or (fisher false) the ordinary one. The rows become the bench's. */
static inline void bench_open_rows(bench *b, rango_model *model, rango_tensor *rows, bool fisher) {
  int64_t count = rows->shape.dims[0];
  memset(b, 0, sizeof *b);
  b->model = model;
  b->rows = rows;
  check_ok(rango_dataset_create(model, (const rango_tensor *const[]){b->rows}, 1, &b->data));
  b->calibration = (rg_calibration){.data = b->data,
                                    .batch = 16,
                                    .batches = (count + 15) / 16,
                                    .sampling = {3, 1 << 20},
                                    .memory_bytes = 1 << 28,
                                    .gradient_rows = count,
                                    .gradient_draws = 1,
                                    .refit_columns = 256,
                                    .session = {.struct_size = sizeof b->calibration.session, .threads = 1}};
  check_ok(rg_sites_find(model, &b->sites));
  assert_true(b->sites.count <= 8);
  check_ok(rg_statistics_collect(model, &b->sites, &b->calibration, b->statistics, NULL, NULL));
  bool possible = true;
  if (fisher) check_ok(rg_fisher_collect(model, &b->sites, &b->calibration, b->statistics, &possible));
  assert_true(possible);
  for (size_t i = 0; i < b->sites.count; i++) {
    rg_basis *bases = b->bases[i];
    check_ok(rg_basis_pair(&b->sites.items[i], &b->statistics[i], &bases[RG_FORM_PAIR]));
    check_ok(rg_basis_convolution(&b->sites.items[i], &b->statistics[i], &bases[RG_FORM_SPATIAL],
                                  &bases[RG_FORM_POINTWISE], &bases[RG_FORM_TUCKER]));
    check_ok(rg_basis_split(&b->sites.items[i], &b->statistics[i], &bases[RG_FORM_SPLIT]));
    check_ok(rg_statistics_settle(&b->sites.items[i], true, &b->statistics[i]));
  }
}

/* On random rows of these sizes. */
static inline void bench_open_in(bench *b, rango_model *model, int rank, const int64_t *dims, bool fisher) {
  bench_open_rows(b, model, tensor_random(RANGO_FLOAT32, rank, dims, 17), fisher);
}

static inline void bench_open(bench *b, rango_model *model, int rank, const int64_t *dims) {
  bench_open_in(b, model, rank, dims, false);
}

static inline void bench_close(bench *b) {
  for (size_t i = 0; i < b->sites.count; i++) {
    rg_statistics_free(&b->statistics[i]);
    for (int form = 0; form < RG_FORM_COUNT; form++) rg_basis_free(&b->bases[i][form]);
  }
  rg_sites_free(&b->sites);
  rango_dataset_free(b->data);
  rango_tensor_free(b->rows);
  rango_model_free(b->model);
}

/* Fits one choice a site and gives the rewritten model. */
static inline rango_model *bench_compress(bench *b, const rg_candidate *choices, rg_factors *factors) {
  rango_model *out = NULL;
  check_ok(rg_fit_all(b->model, &b->sites, &b->calibration, b->statistics, (const rg_basis(*)[RG_FORM_COUNT])b->bases,
                      choices, factors));
  check_ok(rg_rewrite_model(b->model, &b->sites, factors, &out));
  return out;
}

/* ||a - b|| / ||b - mean(b) by channel||, channel axis 1 for images and the last one otherwise. */
static inline double relative_error(const rango_tensor *a, const rango_tensor *b) {
  int64_t count = rango_tensor_count(b), inner = 1;
  int axis = b->shape.rank > 2 ? 1 : b->shape.rank - 1;
  int64_t channels = b->shape.dims[axis];
  const float *x = a->data, *y = b->data;
  double *mean = calloc((size_t)channels, sizeof *mean), error = 0, size = 0;
  for (int i = axis + 1; i < b->shape.rank; i++) inner *= b->shape.dims[i];
  for (int64_t i = 0; i < count; i++) mean[i / inner % channels] += y[i] / ((double)count / (double)channels);
  for (int64_t i = 0; i < count; i++) {
    error += pow(x[i] - y[i], 2);
    size += pow(y[i] - mean[i / inner % channels], 2);
  }
  free(mean);
  return sqrt(error / size);
}

/* What `measure` (relative_error, tensor_distance) says of the outputs of two models at `x`. */
static inline double output_change(const rango_model *before, const rango_model *after, const rango_tensor *x,
                                   double (*measure)(const rango_tensor *after, const rango_tensor *before)) {
  rango_tensor *truth = model_run(before, RANGO_DEVICE_REFERENCE, &x, 1);
  rango_tensor *output = model_run(after, RANGO_DEVICE_REFERENCE, &x, 1);
  double change = measure(output, truth);
  rango_tensor_free(truth);
  rango_tensor_free(output);
  return change;
}

#endif
