/* Bilinear resizing with antialiasing: a triangle filter as wide as a target pixel covers (at least one source pixel on
 * each side), first along rows, then along columns. In Pillow's arithmetic, so that a network sees the very bytes that
 * it was trained on: weights in 22 bits of fixed point, 8 bits between the two passes. */
#include <math.h>
#include <stdlib.h>

#include "data_image.h"
#include "output.h"

#define WEIGHT_BITS 22

/* For each target place: which source places it takes, and how much of each. */
typedef struct filter {
  int taps; /* room for each target place */
  int *first, *count;
  int *weights; /* [target, taps] */
} filter;

static void fill_weights(double centre, double width, int first, int count, double *scratch, int *weights) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    double far = fabs((first + i - centre + 0.5) * (1 / width));
    scratch[i] = far < 1 ? 1 - far : 0;
    sum += scratch[i];
  }
  for (int i = 0; i < count; i++) weights[i] = (int)(0.5 + scratch[i] / sum * (1 << WEIGHT_BITS));
}

static filter filter_create(int source, int target) {
  double scale = (double)source / target, width = scale < 1 ? 1 : scale;
  filter f = {.taps = (int)ceil(width) * 2 + 1,
              .first = must_alloc((size_t)target, sizeof(int)),
              .count = must_alloc((size_t)target, sizeof(int))};
  f.weights = must_alloc((size_t)target * (size_t)f.taps, sizeof(int));
  double *scratch = must_alloc((size_t)f.taps, sizeof(double));
  for (int i = 0; i < target; i++) {
    double centre = (i + 0.5) * scale;
    int first = (int)(centre - width + 0.5), end = (int)(centre + width + 0.5);
    f.first[i] = first < 0 ? 0 : first;
    f.count[i] = (end > source ? source : end) - f.first[i];
    fill_weights(centre, width, f.first[i], f.count[i], scratch, f.weights + (size_t)i * (size_t)f.taps);
  }
  free(scratch);
  return f;
}

static void filter_free(filter *f) {
  free(f->first);
  free(f->count);
  free(f->weights);
}

/* One target element from `count` source elements, `step` apart. */
static uint8_t weigh(const uint8_t *from, size_t step, const int *weights, int count) {
  int sum = 1 << (WEIGHT_BITS - 1);
  for (int i = 0; i < count; i++) sum += from[(size_t)i * step] * weights[i];
  sum >>= WEIGHT_BITS;
  return (uint8_t)(sum > 255 ? 255 : sum);
}

static void resize_rows(image *img, int width) {
  filter f = filter_create(img->width, width);
  size_t channels = (size_t)img->channels;
  uint8_t *pixels = must_alloc((size_t)img->height * (size_t)width, channels), *to = pixels;
  for (int y = 0; y < img->height; y++) {
    const uint8_t *row = img->pixels + (size_t)y * (size_t)img->width * channels;
    for (int x = 0; x < width; x++)
      for (size_t c = 0; c < channels; c++)
        *to++ = weigh(row + (size_t)f.first[x] * channels + c, channels, f.weights + (size_t)x * (size_t)f.taps,
                      f.count[x]);
  }
  filter_free(&f);
  free(img->pixels);
  img->pixels = pixels;
  img->width = width;
}

static void resize_columns(image *img, int height) {
  filter f = filter_create(img->height, height);
  size_t row = (size_t)img->width * (size_t)img->channels;
  uint8_t *pixels = must_alloc((size_t)height, row), *to = pixels;
  for (int y = 0; y < height; y++)
    for (size_t x = 0; x < row; x++)
      *to++ =
          weigh(img->pixels + (size_t)f.first[y] * row + x, row, f.weights + (size_t)y * (size_t)f.taps, f.count[y]);
  filter_free(&f);
  free(img->pixels);
  img->pixels = pixels;
  img->height = height;
}

void image_resize(image *img, int width, int height) {
  if (width != img->width) resize_rows(img, width);
  if (height != img->height) resize_columns(img, height);
}
