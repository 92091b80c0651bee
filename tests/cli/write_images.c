/* Images of uint8 arrays [n, 1 or 3, h, w], one folder a class: write_images X.npy Y.npy FOLDER. Even rows become PNG,
 * odd ones JPEG at the best quality. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include "rango.h"

static int write_png(const char *path, const uint8_t *pixels, int width, int height, int channels) {
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
  return png_image_write_to_file(&image, path, 0, pixels, 0, NULL) ? 0 : 1;
}

static int write_jpeg(const char *path, const uint8_t *pixels, int width, int height, int channels) {
  struct jpeg_compress_struct jpeg = {0};
  struct jpeg_error_mgr errors;
  FILE *file = fopen(path, "wb");
  if (!file) return 1;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_width = (JDIMENSION)width;
  jpeg.image_height = (JDIMENSION)height;
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; y++) {
    JSAMPROW row = (JSAMPROW)pixels + (size_t)y * (size_t)width * (size_t)channels;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return fclose(file) != 0;
}

int main(int count, char **arguments) {
  rango_tensor *x = NULL, *y = NULL;
  if (count != 4 || rango_tensor_load_npy(arguments[1], &x) != RANGO_OK ||
      rango_tensor_load_npy(arguments[2], &y) != RANGO_OK)
    return 1;
  const int64_t *dims = rango_tensor_dims(x);
  int channels = (int)dims[1], height = (int)dims[2], width = (int)dims[3], failures = 0;
  size_t plane = (size_t)(height * width);
  uint8_t *pixels = malloc(plane * (size_t)channels);
  mkdir(arguments[3], 0777);
  for (int64_t i = 0; i < dims[0]; i++) {
    const uint8_t *row = (const uint8_t *)rango_tensor_data(x) + (size_t)i * plane * (size_t)channels;
    for (size_t j = 0; j < plane * (size_t)channels; j++)
      pixels[j] = row[j % (size_t)channels * plane + j / (size_t)channels];
    char path[512];
    int end =
        snprintf(path, sizeof path, "%s/%03lld", arguments[3], (long long)((const int64_t *)rango_tensor_data(y))[i]);
    mkdir(path, 0777);
    snprintf(path + end, sizeof path - (size_t)end, "/%05lld.%s", (long long)i, i % 2 ? "jpg" : "png");
    failures += (i % 2 ? write_jpeg : write_png)(path, pixels, width, height, channels);
  }
  free(pixels);
  rango_tensor_free(x);
  rango_tensor_free(y);
  return failures != 0;
}
