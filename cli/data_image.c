/* Images: reading by content, channels, orientation, cropping. */
#include "data_image.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "output.h"

void image_free(image *img) {
  free(img->pixels);
  *img = (image){0};
}

int image_create(const char *path, int64_t width, int64_t height, int channels, image *out) {
  *out = (image){0};
  if (width < 1 || height < 1 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX || width * height > IMAGE_PIXEL_MAX)
    return report_failure_of("%s: an image of %lld x %lld pixels is over the limit of 134 million", path,
                             (long long)width, (long long)height);
  uint8_t *pixels = malloc((size_t)(width * height) * (size_t)channels);
  if (!pixels) return report_failure_of("%s: out of memory", path);
  *out = (image){.width = (int)width, .height = (int)height, .channels = channels, .pixels = pixels};
  return EXIT_DONE;
}

static image new_image(int width, int height, int channels) {
  uint8_t *pixels = must_alloc((size_t)width * (size_t)height, (size_t)channels);
  return (image){.width = width, .height = height, .channels = channels, .pixels = pixels};
}

static image with_channels(image from, int channels) {
  if (from.channels == channels) return from;
  image next = new_image(from.width, from.height, channels);
  const uint8_t *in = from.pixels;
  uint8_t *to = next.pixels;
  size_t count = (size_t)from.width * (size_t)from.height;
  for (size_t i = 0; i < count; i++) {
    if (channels == 3)
      to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = in[i];
    else /* 0.299, 0.587, 0.114 in 16 bits, rounded */
      to[i] = (uint8_t)((in[3 * i] * 19595u + in[3 * i + 1] * 38470u + in[3 * i + 2] * 7471u + 0x8000u) >> 16);
  }
  free(from.pixels);
  return next;
}

/* EXIF 2.32, tag 0x0112: 2, 3, 7, 8 mirror along the rows, 3, 4, 6, 7 along the columns, 5 to 8 swap the axes. */
static image upright(image from, int orientation) {
  if (orientation < 2 || orientation > 8) return from;
  bool swap = orientation >= 5, flip_x = strchr("\2\3\7\10", orientation), flip_y = strchr("\3\4\6\7", orientation);
  size_t channels = (size_t)from.channels;
  image next = new_image(swap ? from.height : from.width, swap ? from.width : from.height, from.channels);
  uint8_t *to = next.pixels;
  for (int y = 0; y < next.height; y++)
    for (int x = 0; x < next.width; x++, to += channels) {
      int from_x = swap ? y : x, from_y = swap ? x : y;
      if (flip_x) from_x = from.width - 1 - from_x;
      if (flip_y) from_y = from.height - 1 - from_y;
      memcpy(to, from.pixels + ((size_t)from_y * (size_t)from.width + (size_t)from_x) * channels, channels);
    }
  free(from.pixels);
  return next;
}

void image_crop(image *img, int width, int height) {
  if (width == img->width && height == img->height) return;
  size_t left = (size_t)lrint((img->width - width) / 2.0), top = (size_t)lrint((img->height - height) / 2.0);
  size_t channels = (size_t)img->channels, row = (size_t)width * channels;
  image next = new_image(width, height, img->channels);
  for (size_t y = 0; y < (size_t)height; y++)
    memcpy(next.pixels + y * row, img->pixels + ((top + y) * (size_t)img->width + left) * channels, row);
  image_free(img);
  *img = next;
}

static int decode(const char *path, FILE *file, image *out, int *orientation) {
  static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[3] = {0xff, 0xd8, 0xff};
  uint8_t head[8] = {0};
  size_t got = fread(head, 1, sizeof head, file);
  rewind(file);
  if (got == sizeof png && memcmp(head, png, sizeof png) == 0) return image_read_png(path, file, out, orientation);
  if (got >= sizeof jpeg && memcmp(head, jpeg, sizeof jpeg) == 0) return image_read_jpeg(path, file, out, orientation);
  return report_failure_of("%s: neither a PNG nor a JPEG image", path);
}

int image_read(const char *path, int channels, image *out) {
  struct stat info;
  image img = {0};
  *out = img;
  if (stat(path, &info) != 0) return report_failure_of("%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return report_failure_of("%s: not a regular file", path);
  FILE *file = fopen(path, "rb");
  if (!file) return report_failure_of("%s: %s", path, strerror(errno));
  int orientation = 1, code = decode(path, file, &img, &orientation);
  fclose(file);
  if (code == EXIT_DONE)
    *out = upright(with_channels(img, channels), orientation);
  else
    image_free(&img);
  return code;
}
