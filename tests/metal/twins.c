/*
 * Products by every tile that has a hand-written Metal twin (src/gpu/metal/product.metal), against sums in double. On
 * the emulated Apple GPU this runs the twins, on the emulated graphics card the generated shaders: both have to agree
 * with the same truth.
 */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "gpu/devices.h"
#include "ops/support.h"
#include "tensor/tensor.h"

typedef struct tile {
  int shader;
  bool conv, half;
  uint32_t rows, columns, depth;
} tile;

/* As the shader's push constants. */
typedef struct push {
  uint32_t m, n, k, x_row, w_row, y_row, x_batch, w_batch, y_batch, w_columns, splits, split_k, flags, act;
  float alpha, beta;
  uint32_t height, width, channels, x_image, x_channel, out_width, out_pixels, kernel_width, stride, pad, dilation;
} push;

typedef struct product {
  push p;
  uint32_t matrices;
  bool conv, half;
  size_t x_count, w_count, y_count;
  float *x, *w, *bias, *residual;
} product;

static rg_random numbers;

static uint32_t between(uint32_t low, uint32_t high) {
  return low + (uint32_t)rg_random_below(&numbers, high - low + 1);
}

static float *random_floats(size_t count, bool half) {
  float *out = malloc(count * sizeof *out);
  for (size_t i = 0; i < count; i++) {
    out[i] = (float)rg_random_uniform(&numbers) * 2 - 1;
    if (half) out[i] = rg_half_to_float(rg_float_to_half(out[i]));
  }
  return out;
}

/* ---- cases ---- */

/* A matrix, or two, of rows that are longer than they have to be. */
static void make_dense(product *c) {
  push *p = &c->p;
  p->m = between(1, 150);
  p->k = 4 * between(1, 25);
  p->x_row = p->k + 4 * between(0, 1);
  p->x_batch = p->m * p->x_row;
  p->y_row = p->n + 4 * between(0, 1);
  p->y_batch = p->m * p->y_row;
  c->x_count = (size_t)c->matrices * p->x_batch;
  c->y_count = (size_t)c->matrices * p->y_batch;
}

/* Images, channels last; c->matrices groups side by side in a pixel. */
static void make_conv(product *c) {
  push *p = &c->p;
  const uint32_t images = between(1, 2), kernel_height = between(1, 3), sy = between(1, 2), sx = between(1, 2);
  const uint32_t py = between(0, kernel_height - 1), dy = between(1, 2);
  p->kernel_width = between(1, 3);
  const uint32_t px = between(0, p->kernel_width - 1), dx = between(1, 2);
  p->height = between(6, 9);
  p->width = between(6, 9);
  p->channels = 4 * between(1, 3);
  p->x_row = p->channels * c->matrices;
  p->x_batch = p->channels;
  p->x_image = p->height * p->width * p->x_row;
  p->x_channel = 1;
  const uint32_t out_height = (p->height + 2 * py - (kernel_height - 1) * dy - 1) / sy + 1;
  p->out_width = (p->width + 2 * px - (p->kernel_width - 1) * dx - 1) / sx + 1;
  p->out_pixels = out_height * p->out_width;
  p->stride = sy | sx << 16;
  p->pad = py | px << 16;
  p->dilation = dy | dx << 16;
  p->m = images * p->out_pixels;
  p->k = p->channels * kernel_height * p->kernel_width;
  p->y_row = p->n * c->matrices;
  p->y_batch = p->n;
  c->x_count = (size_t)images * p->x_image;
  c->y_count = (size_t)p->m * p->y_row;
}

static void make(product *c, const tile *t) {
  static const uint32_t activations[] = {RG_ACT_NONE, RG_ACT_RELU, RG_ACT_GELU, RG_ACT_LEAKY_RELU};
  *c = (product){.matrices = between(1, 2), .conv = t->conv, .half = t->half};
  push *p = &c->p;
  p->n = 4 * between(1, 40);
  if (t->conv)
    make_conv(c);
  else
    make_dense(c);
  p->w_row = p->w_columns = p->n;
  p->w_batch = p->k * p->w_row;
  p->splits = p->k > t->depth ? between(1, 2) : 1;
  const uint32_t steps = (p->k + t->depth - 1) / t->depth;
  p->split_k = (steps + p->splits - 1) / p->splits * t->depth;
  p->flags = p->splits == 1 ? between(0, 3) : 0;
  p->act = p->splits == 1 ? activations[between(0, 3)] : RG_ACT_NONE;
  p->alpha = 0.1f;
  c->w_count = (size_t)c->matrices * p->w_batch;
  c->x = random_floats(c->x_count, t->half);
  c->w = random_floats(c->w_count, t->half);
  c->bias = random_floats(p->y_row, t->half);
  c->residual = random_floats(c->y_count, t->half);
}

static void clear(product *c) {
  free(c->x);
  free(c->w);
  free(c->bias);
  free(c->residual);
}

/* ---- truth ---- */

static double x_at(const product *c, uint32_t matrix, uint32_t row, uint32_t column) {
  const push *p = &c->p;
  if (!c->conv) return c->x[matrix * p->x_batch + row * p->x_row + column];
  const uint32_t image = row / p->out_pixels, pixel = row % p->out_pixels, tap = column / p->channels;
  const int y = (int)(pixel / p->out_width * (p->stride & 0xffff) + tap / p->kernel_width * (p->dilation & 0xffff)) -
                (int)(p->pad & 0xffff);
  const int x = (int)(pixel % p->out_width * (p->stride >> 16) + tap % p->kernel_width * (p->dilation >> 16)) -
                (int)(p->pad >> 16);
  if (y < 0 || x < 0 || y >= (int)p->height || x >= (int)p->width) return 0;
  return c->x[matrix * p->x_batch + image * p->x_image + ((uint32_t)y * p->width + (uint32_t)x) * p->x_row +
              column % p->channels];
}

static double sum_of(const product *c, uint32_t matrix, uint32_t row, uint32_t column, uint32_t first, uint32_t end) {
  double sum = 0;
  for (uint32_t k = first; k < end; k++)
    sum += x_at(c, matrix, row, k) * c->w[matrix * c->p.w_batch + k * c->p.w_row + column];
  return sum;
}

static double activation(const push *p, double x) {
  if (p->act == RG_ACT_RELU) return x < 0 ? 0 : x;
  if (p->act == RG_ACT_LEAKY_RELU) return x < 0 ? (double)p->alpha * x : x;
  return p->act == RG_ACT_GELU ? 0.5 * x * (1 + erf(x * sqrt(0.5))) : x;
}

static void check_close(const product *c, double value, double truth, bool stored) {
  const double bound = (stored && c->half ? 1e-3 : 1e-5) * (1 + fabs(truth));
  if (!(fabs(value - truth) <= bound))
    fail_msg("%s %u x %u x %u, flags %u, activation %u, %u parts: %g instead of %g",
             c->conv ? "convolution" : "product", c->p.m, c->p.n, c->p.k, c->p.flags, c->p.act, c->p.splits, value,
             truth);
}

static void check_parts(const product *c, const float *partial) {
  const push *p = &c->p;
  for (uint32_t s = 0; s < p->splits; s++)
    for (uint32_t z = 0; z < c->matrices; z++)
      for (uint32_t i = 0; i < p->m; i++)
        for (uint32_t j = 0; j < p->n; j++) {
          const uint32_t first = s * p->split_k, end = first + p->split_k < p->k ? first + p->split_k : p->k;
          check_close(c, partial[((s * c->matrices + z) * p->m + i) * p->n + j], sum_of(c, z, i, j, first, end), false);
        }
}

static void check_whole(const product *c, const float *y) {
  const push *p = &c->p;
  for (uint32_t z = 0; z < c->matrices; z++)
    for (uint32_t i = 0; i < p->m; i++)
      for (uint32_t j = 0; j < p->n; j++) {
        const uint32_t base = z * p->y_batch, at = base + i * p->y_row + j;
        double sum = sum_of(c, z, i, j, 0, p->k);
        if (p->flags & 1) sum += c->bias[base % p->y_row + j];
        if (p->flags & 2) sum += c->residual[at];
        check_close(c, y[at], activation(p, sum), true);
      }
}

/* ---- running ---- */

static rg_gpu_buffer *send(rg_gpu_device *device, const float *values, size_t count, bool half) {
  rg_gpu_buffer *buffer = make_buffer(device, RG_GPU_LOCAL, count * (half ? 2 : 4));
  uint16_t *halves = malloc(count * sizeof *halves);
  for (size_t i = 0; i < count; i++) halves[i] = rg_float_to_half(values[i]);
  write_buffer(device, buffer, 0, half ? (const void *)halves : values, buffer->bytes);
  free(halves);
  return buffer;
}

static float *receive(rg_gpu_device *device, rg_gpu_buffer *buffer, bool half) {
  const size_t count = buffer->bytes / (half ? 2 : 4);
  float *values = malloc(count * sizeof *values);
  uint16_t *halves = malloc(count * sizeof *halves);
  read_buffer(device, buffer, 0, half ? (void *)halves : values, buffer->bytes);
  for (size_t i = 0; half && i < count; i++) values[i] = rg_half_to_float(halves[i]);
  free(halves);
  return values;
}

static void run(rg_gpu_device *device, const tile *t, const product *c) {
  const push *p = &c->p;
  const size_t parts = (size_t)p->splits * c->matrices * p->m * p->n;
  rg_gpu_buffer *buffers[] = {
      send(device, c->x, c->x_count, c->half),        send(device, c->w, c->w_count, c->half),
      send(device, c->bias, p->y_row, c->half),       send(device, c->residual, c->y_count, c->half),
      send(device, c->residual, c->y_count, c->half), make_buffer(device, RG_GPU_LOCAL, parts * sizeof(float))};
  rg_gpu_command command = {
      .kind = RG_GPU_DISPATCH,
      .shader = t->shader,
      .groups = {(p->n + t->columns - 1) / t->columns, (p->m + t->rows - 1) / t->rows, c->matrices * p->splits},
      .part_count = 6,
      .push_words = rg_gpu_shaders[t->shader].push_words};
  for (int i = 0; i < 6; i++) command.parts[i] = part_of(buffers[i]);
  memcpy(command.push, p, (size_t)command.push_words * sizeof(uint32_t));
  rg_gpu_list *list;
  check_ok(device->backend->list_create(device, &command, 1, &list));
  check_ok(device->backend->list_run(device, list));
  float *results = receive(device, buffers[p->splits > 1 ? 5 : 4], c->half && p->splits == 1);
  if (p->splits > 1)
    check_parts(c, results);
  else
    check_whole(c, results);
  free(results);
  device->backend->list_free(device, list);
  for (int i = 0; i < 6; i++) device->backend->buffer_free(device, buffers[i]);
}

static void check_tile(rg_gpu_device *device, const tile *t) {
  for (int round = 0; round < 12; round++) {
    product c;
    make(&c, t);
    run(device, t, &c);
    clear(&c);
  }
}

/* ---- the tiles, as the build reads them ---- */

static uint32_t number_after(const char *line, const char *name, uint32_t otherwise) {
  const char *at = strstr(line, name);
  return at ? (uint32_t)strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static int shader_named(const char *name, size_t length) {
  for (int i = 0; i < rg_gpu_shader_count; i++)
    if (strlen(rg_gpu_shaders[i].name) == length && strncmp(rg_gpu_shaders[i].name, name, length) == 0) return i;
  fail_msg("no shader %s", name);
  return -1;
}

static void check_tiles(rg_gpu_device *device) {
  FILE *file = fopen(RG_SOURCE_DIR "/src/gpu/shaders/variants.txt", "r");
  char line[256];
  int count = 0;
  assert_non_null(file);
  rg_random_seed(&numbers, 7);
  while (fgets(line, sizeof line, file)) {
    if (!strstr(line, " product.comp ") || strstr(line, "SCALAR") || strstr(line, " PAIR ")) continue;
    tile t = {.shader = shader_named(line, strcspn(line, " ")),
              .conv = strstr(line, " CONV ") != NULL,
              .rows = number_after(line, "TM=", 0),
              .columns = number_after(line, "TN=", 0),
              .depth = number_after(line, "TK=", 0) * number_after(line, "SLICES=", 1)};
    for (int half = 0; half < 2; half++, count++) {
      t.half = half;
      assert_non_null(rg_gpu_shaders[t.shader].msl_matrices.source);
      check_tile(device, &t);
      t.shader++;
    }
  }
  fclose(file);
  assert_true(count >= 8);
}
static void test_tiles(void **state) { each_device(check_tiles); }

/* ---- a twin that the driver's compiler refuses ---- */

static int warnings;
static char warning[1024];

static void on_log(void *user, rango_log_level level, const char *message) {
  warnings++;
  snprintf(warning, sizeof warning, "%s", message);
}

static void test_no_warnings(void **state) {
  if (warnings > 0) fail_msg("%d twins were left aside: %s", warnings, warning);
}

#ifdef METAL_EMULATED
static void test_refused(void **state) {
  const char *kind = getenv("RANGO_EMULATED_METAL");
  char before[32];
  snprintf(before, sizeof before, "%s", kind ? kind : "unified");
  setenv("RANGO_EMULATED_METAL", "refusing", 1);
  test_tiles(state); /* the translated shader runs instead */
  setenv("RANGO_EMULATED_METAL", before, 1);
  assert_true(warnings >= 8);
  assert_non_null(strstr(warning, "SIMD-group matrices"));
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_no_warnings),
#ifdef METAL_EMULATED
      cmocka_unit_test(test_refused),
#endif
  };
  rango_set_log(on_log, NULL, RANGO_LOG_WARNING);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
