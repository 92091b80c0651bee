/*
 * What low-rank pairs gain, on one thread: each layer whole and as pairs of several ranks, prepared by the CPU backend
 * as the engine does, taking turns; a figure is the fastest of 25 rounds in the thread's own time. A gain in time is
 * held to the gain in multiply-adds. The whole layer is the direct product; what the backend makes of it, which may be
 * Winograd's method, is a line of its own, and it may choose that for a pair's 3 x 3 half, too.
 *
 *   tools/build release low_rank_pairs && build/release/bench/kernels/low_rank_pairs [ISA]
 */
#include "layer.h"

enum { ROUNDS = 25, PEAK_ITERATIONS = 10000, CONTESTANTS_MAX = 16 };

typedef struct contestant {
  layer layer;
  char title[40];
  double macs, bytes, best; /* bytes: input, weights and output, each once */
  int repeat;
} contestant;

static double tensor_bytes(const layer *l) {
  double bytes = 4.0 * (double)rango_tensor_count(&l->output);
  for (int i = 0; i < LAYER_INPUTS; i++)
    if (l->inputs[i].data != NULL) bytes += 4.0 * (double)rango_tensor_count(&l->inputs[i]);
  return bytes;
}

static double peak_seconds(const rg_kernels *kernels) {
  const double begin = layer_clock();
  volatile const float kept = kernels->peak(PEAK_ITERATIONS);
  (void)kept;
  return layer_clock() - begin;
}

/* The first is what the others are held to. */
static void compare(const char *title, contestant *all, size_t count) {
  const rg_kernels *kernels = all[0].layer.prepare.kernels;
  double peak = 1e30;
  for (size_t i = 0; i < count; i++) {
    all[i].best = layer_seconds(&all[i].layer, 2);
    all[i].repeat = (int)(2e-3 / all[i].best) + 1;
    all[i].bytes = tensor_bytes(&all[i].layer);
  }
  for (int round = 0; round < ROUNDS; round++)
    for (size_t i = 0; i < count; i++) {
      peak = fmin(peak, peak_seconds(kernels));
      layer_run(&all[i].layer, 1); /* the others have had the caches */
      all[i].best = fmin(all[i].best, layer_seconds(&all[i].layer, all[i].repeat));
    }
  const double rate = PEAK_ITERATIONS * (double)kernels->peak_flops / peak;
  printf("%s, %s; peak %.1f GFLOP/s\n", title, kernels->isa, 1e-9 * rate);
  for (size_t i = 0; i < count; i++) {
    const double in_time = all[0].best / all[i].best, in_work = all[0].macs / all[i].macs;
    printf("  %-24s %9.1f us  %6.2f x in time  %6.2f x in work: %4.2f  %5.1f %% of peak  %6.1f GB/s\n", all[i].title,
           1e6 * all[i].best, in_time, in_work, in_time / in_work, 200.0 * all[i].macs / all[i].best / rate,
           1e-9 * all[i].bytes / all[i].best);
    layer_end(&all[i].layer);
  }
  fflush(stdout);
}

static void dense(const char *isa, int64_t rows, int64_t in, int64_t out, const int64_t *ranks, size_t rank_count) {
  contestant all[CONTESTANTS_MAX] = {{.title = "whole"}};
  char title[80];
  size_t count = 1;
  layer_dense(&all[0].layer, isa, rows, in, out);
  all[0].macs = (double)(rows * in * out);
  for (size_t i = 0; i < rank_count; i++, count++) {
    layer_dense_pair(&all[count].layer, isa, rows, in, ranks[i], out);
    all[count].macs = (double)(rows * ranks[i] * (in + out));
    snprintf(all[count].title, sizeof all->title, "rank %d", (int)ranks[i]);
  }
  snprintf(title, sizeof title, "dense %d -> %d, %d rows", (int)in, (int)out, (int)rows);
  compare(title, all, count);
}

static void conv(const char *isa, image size, int64_t channels, const int64_t *ranks, size_t rank_count) {
  contestant all[CONTESTANTS_MAX] = {{.title = "whole, direct"}, {.title = "whole, as chosen"}};
  const double pixels = (double)(size.batch * size.height * size.width);
  char title[80];
  size_t count = 2;
  for (size_t i = 0; i < 2; i++) {
    layer_conv(&all[i].layer, isa, size, channels, channels, 3, 3, 1, i == 0);
    all[i].macs = pixels * 9.0 * (double)(channels * channels);
  }
  for (int separated = 0; separated < 2; separated++)
    for (size_t i = 0; i < rank_count; i++, count++) {
      layer_conv_pair(&all[count].layer, isa, size, channels, ranks[i], channels, 3, separated != 0);
      all[count].macs = pixels * (double)(ranks[i] * channels) * (separated ? 6.0 : 10.0);
      snprintf(all[count].title, sizeof all->title, "%s, rank %d", separated ? "3x1 -> 1x3" : "3x3 -> 1x1",
               (int)ranks[i]);
    }
  snprintf(title, sizeof title, "3x3, %d -> %d channels, %d x %d", (int)channels, (int)channels, (int)size.height,
           (int)size.width);
  compare(title, all, count);
}

int main(int argc, char **argv) {
  static const int64_t small[] = {4, 8, 16, 32, 64}, large[] = {256, 512};
  const char *isa = argc > 1 ? argv[1] : NULL;
  conv(isa, (image){1, 56, 56}, 64, small, 5);
  conv(isa, (image){1, 14, 14}, 256, small, 5);
  dense(isa, 196, 768, 768, small, 5);
  dense(isa, 1, 4096, 4096, small, 5);
  dense(isa, 1, 4096, 4096, large, 2);
  return 0;
}
