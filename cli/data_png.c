/* PNG through libpng: every colour type and depth, interlaced or not, as 8 bits of grey or of red, green and blue. */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "data_image.h"
#include "output.h"

typedef struct png_state {
  char why[128];
  image *out;
  png_bytep *rows;
  int *orientation;
} png_state;

static void on_error(png_structp png, png_const_charp message) {
  png_state *state = png_get_error_ptr(png);
  snprintf(state->why, sizeof state->why, "%s", message);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void choose_format(png_structp png, png_infop info) {
  int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (depth == 16) png_set_scale_16(png);
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

/* Between setjmp and the end of reading: all that changes lies in `state`. */
static int read_image(const char *path, png_structp png, png_infop info, png_state *state) {
  png_read_info(png, info);
  choose_format(png, info);
  image *out = state->out;
  int code = image_create(path, png_get_image_width(png, info), png_get_image_height(png, info),
                          png_get_channels(png, info), out);
  if (code != EXIT_DONE) return code;
  size_t row = (size_t)out->width * (size_t)out->channels;
  if (png_get_rowbytes(png, info) != row) png_error(png, "unexpected format");
  state->rows = must_alloc((size_t)out->height, sizeof *state->rows);
  for (int y = 0; y < out->height; y++) state->rows[y] = out->pixels + (size_t)y * row;
  png_read_image(png, state->rows);
  png_read_end(png, info);
#ifdef PNG_eXIf_SUPPORTED
  png_bytep exif = NULL;
  png_uint_32 bytes = 0;
  if (png_get_eXIf_1(png, info, &bytes, &exif) && exif) *state->orientation = image_exif_orientation(exif, bytes);
#endif
  return EXIT_DONE;
}

int image_read_png(const char *path, FILE *file, image *out, int *orientation) {
  png_state state = {.out = out, .orientation = orientation};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  volatile int code = EXIT_FAILED;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return report_failure_of("%s: out of memory", path);
  }
  if (setjmp(png_jmpbuf(png)) == 0) {
    png_set_user_limits(png, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
    png_init_io(png, file);
    code = read_image(path, png, info, &state);
  } else {
    report_failure_of("%s: damaged PNG: %s", path, state.why);
  }
  free(state.rows);
  png_destroy_read_struct(&png, &info, NULL);
  return code;
}
