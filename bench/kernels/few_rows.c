/*
 * Dense layers of few rows against the time that reading their packed weights takes: products and the plain loop over
 * the same bytes take turns on one thread; figures are the fastest of 40 rounds in the thread's own time. A chain is
 * the layers of a network one after the other, so that what its weights need of the caches is theirs all the time.
 *
 *   tools/build release few_rows && build/release/bench/kernels/few_rows [ISA]
 */
#include "layer.h"

enum { ROUNDS = 40, CHAIN_MAX = 4 };

typedef struct chain {
  const char *title;
  int64_t rows, sizes[CHAIN_MAX + 2]; /* of the values between, ended by 0 */
} chain;

static const chain chains[] = {
    {"256 -> 256, 1 row", 1, {256, 256}},
    {"512 -> 1000, 1 row", 1, {512, 1000}},
    {"1024 -> 1024, 1 row", 1, {1024, 1024}},
    {"4096 -> 4096, 1 row", 1, {4096, 4096}},
    {"256 -> 1024 -> 1024 -> 1024 -> 256, 1 row", 1, {256, 1024, 1024, 1024, 256}},
    {"784 -> 300 -> 100 -> 10, 1 row", 1, {784, 300, 100, 10}},
    {"1024 -> 1024, 2 rows", 2, {1024, 1024}},
    {"4096 -> 4096, 2 rows", 2, {4096, 4096}},
    {"4096 -> 4096, 4 rows", 4, {4096, 4096}},
    {"4096 -> 4096, 6 rows", 6, {4096, 4096}},
};

static size_t packed_floats(const layer *l) {
  const rg_kernels *kernels = l->prepare.kernels;
  const size_t k = (size_t)l->inputs[1].shape.dims[0], n = (size_t)l->inputs[1].shape.dims[1];
  size_t floats;
  return !rg_pack_is_narrow(kernels, k, n) && rg_pack_count(kernels, k, n, &floats) ? floats : k * n;
}

static void measure(const chain *c, const char *isa) {
  layer layers[CHAIN_MAX];
  size_t count = 0, floats = 0;
  volatile float kept = 0;
  for (; c->sizes[count + 1] != 0; count++) {
    layer_dense(&layers[count], isa, c->rows, c->sizes[count], c->sizes[count + 1]);
    floats += packed_floats(&layers[count]);
  }
  const rg_kernels *kernels = layers[0].prepare.kernels;
  const int repeat = (int)(1e7 / (double)floats) + 1;
  double reading = 1e30, running = 1e30;
  for (int round = 0; round < ROUNDS; round++) {
    double begin = layer_clock();
    for (int i = 0; i < repeat; i++)
      for (size_t l = 0; l < count; l++)
        kept = kernels->read(rg_packed_data(layers[l].prepare.packed[0]), packed_floats(&layers[l]));
    reading = fmin(reading, (layer_clock() - begin) / repeat);
    begin = layer_clock();
    for (int i = 0; i < repeat; i++)
      for (size_t l = 0; l < count; l++) layer_run(&layers[l], 1);
    running = fmin(running, (layer_clock() - begin) / repeat);
  }
  (void)kept;
  printf("%-44s %9.1f KiB  read %8.2f us %6.1f GB/s  product %8.2f us: %5.2f\n", c->title,
         4.0 * (double)floats / 1024.0, 1e6 * reading, 4e-9 * (double)floats / reading, 1e6 * running,
         running / reading);
  for (size_t l = 0; l < count; l++) layer_end(&layers[l]);
}

int main(int argc, char **argv) {
  for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) measure(&chains[i], argc > 1 ? argv[1] : NULL);
  return 0;
}
