/* Writes a set of glyph images and labels as .npy: see `usage`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glyphs.h"
#include "rango.h"

static const char usage[] = "glyphs: draws labelled images of 16 characters from 7 continuous factors\n"
                            "\n"
                            "  glyphs --count N --seed S -o X.npy [--labels Y.npy] [--class K] [--no-noise]\n"
                            "\n"
                            "  -o X.npy        images: uint8 [N, 1, 64, 64]; with --no-noise float32 in [0, 1]\n"
                            "  --labels Y.npy  classes: int64 [N]\n"
                            "  --class K       only class K (0 to 15)\n"
                            "\n"
                            "  example: glyphs --count 1024 --seed 2 -o calib.npy\n";

struct request {
  long count, seed, only;
  const char *images, *labels;
  bool clean;
};

static bool parse(int argc, char **argv, struct request *out) {
  *out = (struct request){.count = 0, .seed = 1, .only = -1};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--no-noise")) {
      out->clean = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char *value = argv[++i];
    char *end = "";
    if (!strcmp(argv[i - 1], "--count"))
      out->count = strtol(value, &end, 10);
    else if (!strcmp(argv[i - 1], "--seed"))
      out->seed = strtol(value, &end, 10);
    else if (!strcmp(argv[i - 1], "--class"))
      out->only = strtol(value, &end, 10);
    else if (!strcmp(argv[i - 1], "--labels"))
      out->labels = value;
    else if (!strcmp(argv[i - 1], "-o"))
      out->images = value;
    else
      return false;
    if (*end) return false;
  }
  return out->images && out->count > 0 && out->count <= 1000000 && out->only >= -1 && out->only < RG_GLYPH_CLASSES;
}

static void draw(const struct request *request, void *images, int64_t *labels) {
  float pixels[RG_GLYPH_SIZE * RG_GLYPH_SIZE];
  const size_t area = RG_GLYPH_SIZE * RG_GLYPH_SIZE;
  rg_random random;
  rg_random_seed(&random, (uint64_t)request->seed);
  for (long n = 0; n < request->count; n++) {
    rg_glyph glyph;
    rg_glyph_draw(&random, &glyph);
    if (request->only >= 0) glyph.label = (int)request->only;
    if (request->clean) glyph.noise = 0;
    rg_glyph_render(&glyph, &random, pixels);
    labels[n] = glyph.label;
    if (request->clean)
      memcpy((float *)images + (size_t)n * area, pixels, sizeof pixels);
    else
      for (size_t i = 0; i < area; i++) ((uint8_t *)images)[(size_t)n * area + i] = (uint8_t)(pixels[i] * 255 + 0.5f);
  }
}

int main(int argc, char **argv) {
  struct request request;
  if (argc == 2 && !strcmp(argv[1], "--help")) {
    fputs(usage, stdout);
    return 0;
  }
  if (!parse(argc, argv, &request)) {
    fputs(usage, stderr);
    return 2;
  }
  rango_tensor *images = NULL, *labels = NULL;
  const rango_type type = request.clean ? RANGO_FLOAT32 : RANGO_UINT8;
  rango_status status =
      rango_tensor_create(type, 4, (int64_t[]){request.count, 1, RG_GLYPH_SIZE, RG_GLYPH_SIZE}, &images);
  if (status == RANGO_OK) status = rango_tensor_create(RANGO_INT64, 1, (int64_t[]){request.count}, &labels);
  if (status == RANGO_OK) {
    draw(&request, rango_tensor_data_mut(images), rango_tensor_data_mut(labels));
    status = rango_tensor_save_npy(images, request.images);
  }
  if (status == RANGO_OK && request.labels) status = rango_tensor_save_npy(labels, request.labels);
  if (status != RANGO_OK) fprintf(stderr, "glyphs: %s\n", rango_error_message());
  rango_tensor_free(images);
  rango_tensor_free(labels);
  return status == RANGO_OK ? 0 : 1;
}
