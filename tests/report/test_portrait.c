/* Leading directions and telling samples, on data whose structure is known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "compress/networks.h"
#include "compress/portrait.h"
#include "support/check.h"

#define ROWS 60

/* rows [count][columns]: variances 9, 4, 1 and 0 along four orthonormal directions, the first two being (e0 + e1) and
 * (e0 - e1) over the square root of 2. */
static float *planted_rows(int64_t count, int64_t columns) {
  float *rows = calloc((size_t)(count * columns), sizeof *rows);
  double s = sqrt(0.5);
  for (int64_t i = 0; i < count; i++) { /* signs of three Walsh functions: uncorrelated, each of mean 0 */
    double a = 3 * (i & 1 ? 1 : -1), b = 2 * (i & 2 ? 1 : -1), c = i & 4 ? 1 : -1;
    rows[i * columns] = (float)(5 + s * (a + b));
    rows[i * columns + 1] = (float)(s * (a - b));
    rows[i * columns + 2] = (float)c;
  }
  return rows;
}

static void check_planted(int64_t count, int64_t columns) {
  float *rows = planted_rows(count, columns);
  rg_components c;
  check_ok(rg_components_of(rows, count, columns, 3, &c));
  static const double variances[] = {9, 4, 1, 0};
  for (int i = 0; i < 4; i++) assert_true(fabs(c.variances[i] - variances[i]) < 1e-6);
  assert_true(fabs(c.mean[0] - 5) < 1e-6 && fabs(c.mean[1]) < 1e-6);
  assert_true(fabs(fabs(c.vectors[0]) - sqrt(0.5)) < 1e-6 && fabs(c.vectors[0] - c.vectors[1]) < 1e-6);
  assert_true(fabs(c.vectors[columns] + c.vectors[columns + 1]) < 1e-6);
  assert_true(fabs(fabs(c.vectors[2 * columns + 2]) - 1) < 1e-6);
  rg_components_free(&c);
  free(rows);
}

/* By the covariance of the columns, and by that of the rows. */
static void components_are_found_either_way(void **state) {
  (void)state;
  check_planted(64, 5);
  check_planted(16, 200);
}

static void directions_point_along_the_longer_tail(void **state) {
  (void)state;
  float rows[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 0}; /* six rows of two, one far down */
  rg_components c;
  check_ok(rg_components_of(rows, 6, 2, 1, &c));
  assert_true(c.vectors[0] < -0.999);
  rg_components_free(&c);
}

static void the_strongest_rows_are_kept_in_order(void **state) {
  (void)state;
  float *rows = planted_rows(64, 5);
  for (int i = 0; i < 7; i++) rows[(10 + i) * 5 + 2] = (float)(20 + i % 4);
  rg_components c;
  rg_probe probe;
  check_ok(rg_components_of(rows, 64, 5, 1, &c));
  check_ok(rg_probe_create(NULL, &c, &probe));
  check_ok(rg_probe_look(&probe, rows, 0, 40, 1));
  check_ok(rg_probe_look(&probe, rows + 40 * 5, 40, 24, 1));
  static const int64_t order[] = {13, 12, 16, 11, 15}; /* 23, 22, 22, 21, 21 */
  assert_int_equal(probe.found, 5);
  for (int i = 0; i < 5; i++) assert_int_equal(probe.best[0][i].row, order[i]);
  double along = 0;
  for (int j = 0; j < 5; j++) along += c.vectors[j] * (rows[13 * 5 + j] - c.mean[j]);
  assert_true(fabs(probe.best[0][0].value - along / sqrt(c.variances[0])) < 1e-5);
  rg_probe_free(&probe);
  rg_components_free(&c);
  free(rows);
}

/* Samples without a model: the plane is that of the planted directions, whatever the projection's spectrum. */
static void samples_have_a_portrait(void **state) {
  (void)state;
  enum { COUNT = 64, COLUMNS = 5 };
  float *rows = planted_rows(COUNT, COLUMNS);
  rango_tensor *samples = tensor_random(RANGO_FLOAT32, 2, DIMS(COUNT, COLUMNS), 1);
  memcpy(samples->data, rows, COUNT * COLUMNS * sizeof *rows);
  rango_manifold_options options = {.struct_size = sizeof options, .seed = 3, .threads = 1, .portrait = true};
  rango_manifold *manifold;
  check_ok(rango_manifold_create(samples, &options, &manifold));
  const rango_portrait *portrait = rango_manifold_portrait(manifold);
  static const double shares[] = {9. / 14, 4. / 14, 1. / 14, 0, 0};
  assert_int_equal(portrait->share_count, COLUMNS);
  for (int i = 0; i < COLUMNS; i++) assert_true(fabs(portrait->shares[i] - shares[i]) < 1e-6);
  assert_memory_equal(&portrait->spectrum, rango_manifold_spectrum(manifold), sizeof portrait->spectrum);
  assert_int_equal(portrait->direction_count, 3);
  assert_int_equal(portrait->directions[0].sample_count, RG_PORTRAIT_SAMPLES);
  assert_null(portrait->directions[0].picture.values);
  const float *plane = rango_tensor_data(rango_manifold_plane(manifold));
  assert_int_equal(rango_tensor_dims(rango_manifold_plane(manifold))[0], COUNT);
  for (int i = 0; i < COUNT; i++) {
    assert_true(fabsf(fabsf(plane[2 * i]) - 3) < 1e-4f && fabsf(fabsf(plane[2 * i + 1]) - 2) < 1e-4f);
    assert_true(plane[2 * i] * plane[0] * (i & 1 ? -1.0f : 1.0f) > 0);
    assert_true(plane[2 * i + 1] * plane[1] * (i & 2 ? -1.0f : 1.0f) > 0);
  }
  rango_manifold_free(manifold);
  options.portrait = false;
  options.project = 2;
  check_ok(rango_manifold_create(samples, &options, &manifold));
  assert_null(rango_manifold_portrait(manifold));
  assert_null(rango_manifold_plane(manifold));
  check_fails(rango_manifold_write_report(manifold, "none.html", NULL), RANGO_ERROR_ARGUMENT, "portrait");
  check_fails(rango_manifold_write_report(NULL, "none.html", NULL), RANGO_ERROR_ARGUMENT, "NULL");
  rango_manifold_free(manifold);
  rango_tensor_free(samples);
  free(rows);
}

/* Grey images of bytes: height, width and the strongest row's own pixels; numbers without neighbours are none. */
static void samples_of_three_axes_are_images(void **state) {
  (void)state;
  enum { COUNT = 40, HEIGHT = 9, WIDTH = 14 };
  for (int smooth = 0; smooth < 2; smooth++) {
    rango_tensor *samples = tensor_random(RANGO_UINT8, 3, DIMS(COUNT, HEIGHT, WIDTH), 7);
    unsigned char *bytes = samples->data;
    for (int i = 0; smooth && i < COUNT * HEIGHT * WIDTH; i++) {
      double y = i / WIDTH % HEIGHT, x = i % WIDTH, row = (double)(i / (HEIGHT * WIDTH)); /* a hill that moves */
      bytes[i] = (unsigned char)(200 * exp(-(pow(x - 3 - row / 5, 2) + pow(y - 4, 2)) / 12));
    }
    rango_manifold_options options = {.struct_size = sizeof options, .seed = 3, .threads = 1, .portrait = true};
    rango_manifold *manifold;
    check_ok(rango_manifold_create(samples, &options, &manifold));
    const rango_portrait *portrait = rango_manifold_portrait(manifold);
    if (!smooth) {
      assert_int_equal(portrait->direction_count, 0);
    } else {
      const rango_excitation *sample = &portrait->directions[0].samples[0];
      assert_int_equal(sample->picture.height, HEIGHT);
      assert_int_equal(sample->picture.width, WIDTH);
      for (int i = 0; i < HEIGHT * WIDTH; i++)
        assert_true(sample->picture.values[i] == (float)bytes[sample->row * HEIGHT * WIDTH + i]);
    }
    rango_manifold_free(manifold);
    rango_tensor_free(samples);
  }
}

/* ---- pictures ---- */

static rango_dataset *dataset_of(rango_model *model, const rango_tensor *tensor) {
  rango_dataset *data;
  check_ok(rango_dataset_create(model, &tensor, 1, &data));
  return data;
}

static rango_model *flat_model(int64_t columns) {
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "x", RANGO_FLOAT32, 2, DIMS(-1, columns));
  finish(model,
         model_node(model->graph, "Gemm", x, model_weights(model->graph, "w", 0.1, 2, DIMS(columns, 3)), NULL, NULL));
  return model;
}

/* Rows of `columns` numbers of which number i is f(i, phase of the row). */
static void check_view(int64_t columns, double (*f)(int64_t i, double phase), bool found, int64_t height,
                       int64_t width) {
  rango_model *model = flat_model(columns);
  rango_tensor *tensor = tensor_random(RANGO_FLOAT32, 2, DIMS(20, columns), 3);
  for (int64_t i = 0; f && i < 20 * columns; i++)
    ((float *)tensor->data)[i] = (float)f(i % columns, (double)(i / columns));
  rango_dataset *data = dataset_of(model, tensor);
  rg_view view;
  assert_int_equal(rg_view_find(data, &view), found);
  if (found) {
    assert_int_equal(view.height, height);
    assert_int_equal(view.width, width);
  }
  rango_dataset_free(data);
  rango_tensor_free(tensor);
  rango_model_free(model);
}

static double wave(int64_t i, double phase) { return sin(0.07 * (double)i + phase); }
static double hills(int64_t i, double phase) {
  return sin(0.4 * (double)(i % 16) + phase) + cos(0.4 * (double)(i / 16));
}

static void flat_rows_are_seen_as_what_they_are(void **state) {
  (void)state;
  check_view(256, wave, true, 1, 256); /* though 256 is a square */
  check_view(256, hills, true, 16, 16);
  check_view(100, NULL, false, 0, 0);
}

/* Noise, and in one row a bright spot: the first convolution's leading direction finds row and place. */
static void samples_are_framed(void **state) {
  (void)state;
  rango_model *model = model_new();
  rg_value *x = model_input(model->graph, "image", RANGO_FLOAT32, 4, DIMS(-1, 1, 12, 10));
  float kernel[18];
  for (int i = 0; i < 18; i++) kernel[i] = i < 9 ? 1.0f : i == 13 ? 0.5f : 0.0f;
  rg_value *h =
      model_node(model->graph, "Conv", x, constant(model->graph, "k", 4, DIMS(2, 1, 3, 3), kernel), NULL, NULL);
  check_ok(rg_node_set_ints(h->producer, "pads", DIMS(1, 1, 1, 1), 4));
  h = model_node(model->graph, "Flatten", model_node(model->graph, "Relu", h, NULL, NULL, NULL), NULL, NULL, NULL);
  finish(model,
         model_node(model->graph, "Gemm", h, model_weights(model->graph, "w", 0.1, 2, DIMS(240, 4)), NULL, NULL));
  rango_tensor *images = tensor_random(RANGO_FLOAT32, 4, DIMS(ROWS, 1, 12, 10), 5);
  for (int y = 6; y < 9; y++)
    for (int column = 2; column < 5; column++) ((float *)images->data)[(41 * 12 + y) * 10 + column] = 9;
  rango_dataset *data = dataset_of(model, images);
  rango_spectra *spectra;
  check_ok(rango_spectra_create(model, data, 0, 1, 1, NULL, NULL, &spectra));
  const rango_portrait *portrait = rango_spectra_layer(spectra, 0)->portrait;
  assert_int_equal(portrait->spectrum.dimension, 2);
  assert_true(fabs(portrait->shares[0] + portrait->shares[1] - 1) < 1e-12);
  const rango_direction *first = &portrait->directions[0];
  assert_true(first->share == portrait->shares[0] && first->sample_count == RG_PORTRAIT_SAMPLES);
  assert_int_equal(first->picture.height, 3);
  assert_int_equal(first->picture.width, 3);
  for (int i = 0; i < 9; i++) /* the weights of both kernels, along the output's direction */
    assert_true((i == 4) == (fabsf(first->picture.values[i] - first->picture.values[0]) > 1e-3f));
  const rango_excitation *sample = &first->samples[0];
  assert_int_equal(sample->row, 41);
  assert_int_equal(sample->top, 6);
  assert_int_equal(sample->left, 2);
  assert_int_equal(sample->height, 3);
  assert_int_equal(sample->width, 3);
  assert_memory_equal(sample->picture.values, (const float *)images->data + 41 * 120, 120 * sizeof(float));
  assert_null(rango_spectra_layer(spectra, 1)->portrait->directions[0].picture.values); /* reads no data itself */
  rango_spectra_free(spectra);
  rango_dataset_free(data);
  rango_tensor_free(images);
  rango_model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(components_are_found_either_way),
      cmocka_unit_test(directions_point_along_the_longer_tail),
      cmocka_unit_test(the_strongest_rows_are_kept_in_order),
      cmocka_unit_test(samples_have_a_portrait),
      cmocka_unit_test(samples_of_three_axes_are_images),
      cmocka_unit_test(flat_rows_are_seen_as_what_they_are),
      cmocka_unit_test(samples_are_framed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
