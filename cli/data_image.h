/* One image of 8 bits a channel, from PNG and JPEG files. Functions that fail print why and return EXIT_FAILED. */
#ifndef CLI_DATA_IMAGE_H
#define CLI_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define IMAGE_SIDE_MAX  65535
#define IMAGE_PIXEL_MAX ((int64_t)1 << 27) /* a forged header must not make us allocate more than 400 MB */

typedef struct image {
  int width, height, channels; /* 1: grey. 3: red, green, blue */
  uint8_t *pixels;             /* [height, width, channels] */
} image;

/* Reads a PNG or JPEG, told apart by content, as `channels` (1 or 3) channels, turned upright as its EXIF orientation
 * says. 16 bits are rounded to 8, palettes and low depths expanded, alpha dropped, CMYK (inverted, as Adobe writes it)
 * multiplied out; gamma and colour profiles are ignored. Colour becomes grey by ITU-R BT.601's luma. A damaged or
 * truncated file is an error. */
int image_read(const char *path, int channels, image *out);
void image_free(image *img);

/* Bilinear with antialiasing: Pillow's (Image.BILINEAR on 8 bits a channel), bit for bit. */
void image_resize(image *img, int width, int height);
/* The centre; where the margins can't be equal, the left or upper one is the even number of the two (torchvision). */
void image_crop(image *img, int width, int height);

/* The two decoders, on an open file: native channels, not yet turned; `orientation` is EXIF's (1: upright). */
int image_read_png(const char *path, FILE *file, image *out, int *orientation);
int image_read_jpeg(const char *path, FILE *file, image *out, int *orientation);
/* Room for an image of these sizes, which come from a file. */
int image_create(const char *path, int64_t width, int64_t height, int channels, image *out);
/* EXIF's orientation, 1 to 8, from its TIFF structure; 1 where there is none. */
int image_exif_orientation(const uint8_t *tiff, size_t bytes);

#endif
