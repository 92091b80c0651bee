/*
 * How well the cost model predicts what layers take: dense layers, convolutions and pairs of all kinds and sizes, none
 * of which the model was fitted to, against the fastest of 15 rounds on one thread in its own time. Pairs are predicted
 * as the compressor does, as two layers.
 *
 *   tools/build release cost_model && build/release/bench/kernels/cost_model [ISA [COSTS.json]]
 *
 * COSTS.json is what `rango tune` wrote; otherwise the costs are those of the kernels' page.
 */
#include <string.h>

#include "cpu/costs.h"
#include "layer.h"

enum { ROUNDS = 15 };

typedef enum kind { DENSE, DENSE_PAIR, CONV, CONV_PAIR, CONV_SEPARATED } kind;

typedef struct sample {
  kind kind;
  int64_t rows, in, rank, out; /* dense */
  image size;                  /* convolutions */
  int64_t kernel_h, kernel_w, group;
} sample;

static const sample samples[] = {
    /* rows, in, -, out */
    {DENSE, 1, 256, 0, 256, {0}, 0, 0, 0},
    {DENSE, 1, 1024, 0, 1024, {0}, 0, 0, 0},
    {DENSE, 1, 784, 0, 300, {0}, 0, 0, 0},
    {DENSE, 1, 512, 0, 10, {0}, 0, 0, 0},
    {DENSE, 1, 4096, 0, 1000, {0}, 0, 0, 0},
    {DENSE, 1, 768, 0, 3072, {0}, 0, 0, 0},
    {DENSE, 2, 1024, 0, 1024, {0}, 0, 0, 0},
    {DENSE, 3, 512, 0, 2048, {0}, 0, 0, 0},
    {DENSE, 5, 640, 0, 640, {0}, 0, 0, 0},
    {DENSE, 7, 1000, 0, 500, {0}, 0, 0, 0},
    {DENSE, 16, 384, 0, 384, {0}, 0, 0, 0},
    {DENSE, 32, 256, 0, 1024, {0}, 0, 0, 0},
    {DENSE, 65, 192, 0, 576, {0}, 0, 0, 0},
    {DENSE, 65, 768, 0, 192, {0}, 0, 0, 0},
    {DENSE, 100, 100, 0, 100, {0}, 0, 0, 0},
    {DENSE, 128, 64, 0, 64, {0}, 0, 0, 0},
    {DENSE, 196, 384, 0, 1536, {0}, 0, 0, 0},
    {DENSE, 200, 512, 0, 50, {0}, 0, 0, 0},
    {DENSE, 256, 300, 0, 20, {0}, 0, 0, 0},
    {DENSE, 512, 512, 0, 512, {0}, 0, 0, 0},
    {DENSE_PAIR, 1, 1024, 64, 1024, {0}, 0, 0, 0},
    {DENSE_PAIR, 1, 2048, 200, 2048, {0}, 0, 0, 0},
    {DENSE_PAIR, 65, 384, 24, 384, {0}, 0, 0, 0},
    {DENSE_PAIR, 65, 192, 40, 768, {0}, 0, 0, 0},
    {DENSE_PAIR, 128, 512, 6, 512, {0}, 0, 0, 0},
    {DENSE_PAIR, 256, 512, 100, 512, {0}, 0, 0, 0},
    /* batch, height, width; in, rank, out; kernel, group */
    {CONV, 0, 3, 0, 16, {1, 32, 32}, 3, 3, 1},
    {CONV, 0, 3, 0, 64, {1, 64, 64}, 3, 3, 1},
    {CONV, 0, 16, 0, 16, {1, 32, 32}, 3, 3, 1},
    {CONV, 0, 32, 0, 64, {1, 28, 28}, 3, 3, 1},
    {CONV, 0, 64, 0, 128, {1, 28, 28}, 3, 3, 1},
    {CONV, 0, 48, 0, 48, {2, 20, 20}, 3, 3, 1},
    {CONV, 0, 128, 0, 128, {1, 16, 16}, 3, 3, 1},
    {CONV, 0, 256, 0, 512, {1, 8, 8}, 3, 3, 1},
    {CONV, 0, 512, 0, 512, {1, 2, 2}, 3, 3, 1},
    {CONV, 0, 32, 0, 96, {1, 28, 28}, 1, 1, 1},
    {CONV, 0, 96, 0, 24, {1, 28, 28}, 1, 1, 1},
    {CONV, 0, 128, 0, 256, {1, 14, 14}, 1, 1, 1},
    {CONV, 0, 256, 0, 12, {1, 14, 14}, 1, 1, 1},
    {CONV, 0, 64, 0, 4, {1, 40, 40}, 1, 1, 1},
    {CONV, 0, 24, 0, 72, {1, 56, 56}, 1, 1, 1},
    {CONV, 0, 16, 0, 32, {1, 32, 32}, 5, 5, 1},
    {CONV, 0, 64, 0, 64, {1, 14, 14}, 5, 5, 1},
    {CONV, 0, 6, 0, 16, {1, 10, 10}, 5, 5, 1},
    {CONV, 0, 64, 0, 64, {1, 1, 200}, 1, 3, 1},
    {CONV, 0, 128, 0, 256, {1, 1, 125}, 1, 5, 1},
    {CONV, 0, 40, 0, 80, {1, 1, 98}, 1, 9, 1},
    {CONV, 0, 32, 0, 32, {1, 56, 56}, 3, 3, 32},
    {CONV, 0, 96, 0, 96, {1, 28, 28}, 3, 3, 96},
    {CONV, 0, 144, 0, 144, {1, 14, 14}, 5, 5, 144},
    {CONV, 0, 64, 0, 64, {1, 1, 400}, 1, 3, 64},
    {CONV, 0, 64, 0, 64, {1, 28, 28}, 3, 3, 2},
    {CONV, 0, 128, 0, 128, {1, 14, 14}, 3, 3, 4},
    {CONV, 0, 64, 0, 128, {1, 14, 14}, 3, 3, 8},
    {CONV, 0, 64, 0, 64, {1, 14, 14}, 3, 3, 16},
    {CONV_PAIR, 0, 64, 10, 64, {1, 28, 28}, 3, 3, 1},
    {CONV_PAIR, 0, 128, 24, 128, {1, 16, 16}, 3, 3, 1},
    {CONV_PAIR, 0, 256, 60, 256, {1, 8, 8}, 3, 3, 1},
    {CONV_PAIR, 0, 32, 6, 64, {1, 32, 32}, 5, 5, 1},
    {CONV_SEPARATED, 0, 64, 12, 64, {1, 28, 28}, 3, 3, 1},
    {CONV_SEPARATED, 0, 128, 40, 128, {1, 16, 16}, 3, 3, 1},
    {CONV_SEPARATED, 0, 96, 20, 96, {1, 20, 20}, 3, 3, 1},
    {CONV_SEPARATED, 0, 32, 8, 32, {1, 40, 40}, 5, 5, 1},
};
#define SAMPLE_COUNT (sizeof samples / sizeof *samples)

static bool make(layer *l, const char *isa, const sample *s) {
  switch (s->kind) {
  case DENSE:
    return layer_dense(l, isa, s->rows, s->in, s->out);
  case DENSE_PAIR:
    return layer_dense_pair(l, isa, s->rows, s->in, s->rank, s->out);
  case CONV:
    return layer_conv(l, isa, s->size, s->in, s->out, s->kernel_h, s->kernel_w, s->group, false);
  default:
    return layer_conv_pair(l, isa, s->size, s->in, s->rank, s->out, s->kernel_h, s->kind == CONV_SEPARATED);
  }
}

static double dense_cost(const rg_costs *costs, int64_t rows, int64_t in, int64_t out) {
  return rg_costs_milliseconds(costs, &(rg_cost_query){.kind = RG_COST_DENSE, .rows = rows, .in = in, .out = out});
}

static double conv_cost(const rg_costs *costs, const sample *s, int64_t in, int64_t out, int64_t kernel_h,
                        int64_t kernel_w) {
  return rg_costs_milliseconds(costs, &(rg_cost_query){.kind = RG_COST_CONV,
                                                       .rows = s->size.batch,
                                                       .in = in,
                                                       .out = out,
                                                       .group = s->group,
                                                       .kernel_h = kernel_h,
                                                       .kernel_w = kernel_w,
                                                       .height = s->size.height,
                                                       .width = s->size.width,
                                                       .plain = true});
}

static double predict(const rg_costs *costs, const sample *s) {
  const int64_t h = s->kernel_h, w = s->kernel_w;
  switch (s->kind) {
  case DENSE:
    return dense_cost(costs, s->rows, s->in, s->out);
  case DENSE_PAIR:
    return dense_cost(costs, s->rows, s->in, s->rank) + dense_cost(costs, s->rows, s->rank, s->out);
  case CONV:
    return conv_cost(costs, s, s->in, s->out, h, w);
  case CONV_PAIR:
    return conv_cost(costs, s, s->in, s->rank, h, w) + conv_cost(costs, s, s->rank, s->out, 1, 1);
  default:
    return conv_cost(costs, s, s->in, s->rank, h, 1) + conv_cost(costs, s, s->rank, s->out, 1, w);
  }
}

static void describe(const sample *s, char *text, size_t bytes) {
  static const char *const names[] = {"dense", "dense pair", "conv", "conv pair", "separated pair"};
  int at = snprintf(text, bytes, "%s %d", names[s->kind], (int)s->in);
  if (s->rank > 0) at += snprintf(text + at, bytes - (size_t)at, " -> %d", (int)s->rank);
  at += snprintf(text + at, bytes - (size_t)at, " -> %d", (int)s->out);
  if (s->kind <= DENSE_PAIR) {
    snprintf(text + at, bytes - (size_t)at, ", %d rows", (int)s->rows);
    return;
  }
  at += snprintf(text + at, bytes - (size_t)at, ", %dx%d of %d x %d x %d", (int)s->kernel_h, (int)s->kernel_w,
                 (int)s->size.batch, (int)s->size.height, (int)s->size.width);
  if (s->group > 1) snprintf(text + at, bytes - (size_t)at, ", %d groups", (int)s->group);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  const char *isa = argc > 1 ? argv[1] : NULL;
  const rg_kernels *kernels;
  rg_costs *costs;
  double errors[SAMPLE_COUNT];
  layer_need(rg_kernels_get(isa, &kernels));
  layer_need(argc > 2 ? rg_costs_load(argv[2], &costs) : rg_costs_default(kernels, &costs));
  printf("%-52s %12s %12s %6s\n", kernels->isa, "predicted", "measured", "ratio");
  for (size_t i = 0; i < SAMPLE_COUNT; i++) {
    char text[80];
    layer l;
    if (!make(&l, isa, &samples[i])) return 1;
    double best = layer_seconds(&l, 3);
    const int repeat = (int)(3e-3 / best) + 1;
    for (int round = 0; round < ROUNDS; round++) best = fmin(best, layer_seconds(&l, repeat));
    const double predicted = predict(costs, &samples[i]), measured = 1e3 * best;
    errors[i] = fabs(log(predicted / measured));
    describe(&samples[i], text, sizeof text);
    printf("%-52s %9.2f us %9.2f us %6.2f\n", text, 1e3 * predicted, 1e3 * measured, predicted / measured);
    layer_end(&l);
  }
  qsort(errors, SAMPLE_COUNT, sizeof *errors, ascending);
  printf("%zu layers: off by a factor of %.2f (median), %.2f (90th percentile), %.2f (worst)\n", SAMPLE_COUNT,
         exp(errors[SAMPLE_COUNT / 2]), exp(errors[SAMPLE_COUNT * 9 / 10]), exp(errors[SAMPLE_COUNT - 1]));
  rg_costs_free(costs);
  return 0;
}
