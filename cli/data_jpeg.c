/* JPEG through libjpeg-turbo: grey, YCbCr and RGB, CMYK and YCCK; baseline and progressive. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include <jerror.h> /* needs jpeglib.h before it */

#include "args.h"
#include "data_image.h"
#include "output.h"

#define SCANS_MAX 500 /* a progressive file of a few kB can ask for any number of passes over the image */

typedef struct jpeg_state {
  struct jpeg_error_mgr errors; /* first: libjpeg hands it back */
  struct jpeg_progress_mgr progress;
  jmp_buf back;
  char why[JMSG_LENGTH_MAX];
  uint8_t *line; /* of four channels */
} jpeg_state;

static void on_error(j_common_ptr jpeg) {
  jpeg_state *state = (jpeg_state *)jpeg->err;
  state->errors.format_message(jpeg, state->why);
  longjmp(state->back, 1);
}

/* Warnings about the image data itself mean that part of the picture is made up. */
static void on_message(j_common_ptr jpeg, int level) {
  int code = jpeg->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
                    code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE || code == JWRN_NOT_SEQUENTIAL))
    on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg) {
  if (((j_decompress_ptr)jpeg)->input_scan_number <= SCANS_MAX) return;
  jpeg_state *state = (jpeg_state *)jpeg->err;
  snprintf(state->why, sizeof state->why, "over %d scans", SCANS_MAX);
  longjmp(state->back, 1);
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg) {
  static const char head[6] = "Exif\0";
  for (jpeg_saved_marker_ptr at = jpeg->marker_list; at; at = at->next)
    if (at->marker == JPEG_APP0 + 1 && at->data_length > sizeof head && memcmp(at->data, head, sizeof head) == 0)
      return image_exif_orientation(at->data + sizeof head, at->data_length - sizeof head);
  return 1;
}

/* Inverted CMYK: each ink's remaining light times black's, rounded. */
static void cmyk_to_rgb(const uint8_t *from, int width, uint8_t *to) {
  for (int x = 0; x < width; x++, from += 4, to += 3)
    for (int c = 0; c < 3; c++) to[c] = (uint8_t)((from[c] * from[3] + 127) / 255);
}

/* Between setjmp and the end of reading: all that changes lies in `state`, `jpeg` and `out`. */
static int read_image(const char *path, struct jpeg_decompress_struct *jpeg, jpeg_state *state, image *out,
                      int *orientation) {
  jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(jpeg, TRUE);
  *orientation = orientation_of(jpeg);
  bool grey = jpeg->num_components == 1, cmyk = jpeg->num_components == 4;
  jpeg->out_color_space = grey ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
  int code = image_create(path, jpeg->image_width, jpeg->image_height, grey ? 1 : 3, out);
  if (code != EXIT_DONE) return code;
  jpeg_start_decompress(jpeg);
  if (cmyk) state->line = must_alloc((size_t)out->width, 4);
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *row = out->pixels + (size_t)jpeg->output_scanline * (size_t)out->width * (size_t)out->channels;
    JSAMPROW target = cmyk ? state->line : row;
    jpeg_read_scanlines(jpeg, &target, 1);
    if (cmyk) cmyk_to_rgb(state->line, out->width, row);
  }
  jpeg_finish_decompress(jpeg);
  return EXIT_DONE;
}

int image_read_jpeg(const char *path, FILE *file, image *out, int *orientation) {
  struct jpeg_decompress_struct jpeg = {0};
  jpeg_state state = {.progress.progress_monitor = on_progress};
  volatile int code = EXIT_FAILED;
  jpeg.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = on_error;
  state.errors.emit_message = on_message;
  if (setjmp(state.back) == 0) {
    jpeg_create_decompress(&jpeg);
    jpeg.progress = &state.progress;
    jpeg_stdio_src(&jpeg, file);
    code = read_image(path, &jpeg, &state, out, orientation);
  } else {
    report_failure_of("%s: damaged JPEG: %s", path, state.why);
  }
  jpeg_destroy_decompress(&jpeg);
  free(state.line);
  return code;
}
