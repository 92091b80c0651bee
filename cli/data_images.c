/* Images as rows of a model's input. */
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "data_image.h"
#include "output.h"
#include "progress.h"

/* What the input takes. */
typedef struct target {
  const image_recipe *recipe;
  rango_value_info input;
  bool channels_last;
  int channels;
  int width, height; /* of the finished images; 0: as the first one has it */
} target;

/* A declared size, or 0 where it is open. */
static int declared(const rango_value_info *input, int axis) {
  int64_t size = input->dims[axis];
  return size > 0 && size <= IMAGE_SIDE_MAX ? (int)size : 0;
}

static bool is_channels(int size) { return size == 1 || size == 3; }

static int find_target(const char *path, const image_recipe *recipe, const rango_model *model, size_t index,
                       target *out) {
  *out = (target){.recipe = recipe};
  const rango_value_info *in = &out->input;
  if (rango_model_input(model, index, &out->input) != RANGO_OK) return report_failure();
  if (in->rank != 4)
    return report_failure_of("%s: input '%s' has %d axes: images need four (rows, channels, height, width)", path,
                             in->name, in->rank);
  if (in->type != RANGO_FLOAT32 && in->type != RANGO_UINT8)
    return report_failure_of("%s: input '%s' is %s: images are read for float32 and uint8 inputs", path, in->name,
                             rango_type_name(in->type));
  if (in->type == RANGO_UINT8 && (recipe->mean_count || recipe->std_count))
    return report_failure_of("%s: input '%s' takes the images' bytes: --mean and --std don't apply", path, in->name);
  out->channels_last = recipe->layout == LAYOUT_NHWC ||
                       (recipe->layout == LAYOUT_AUTO && !is_channels(declared(in, 1)) && is_channels(declared(in, 3)));
  int height_axis = out->channels_last ? 1 : 2, channels_axis = out->channels_last ? 3 : 1;
  out->channels = in->dims[channels_axis] < 0 ? 3 : declared(in, channels_axis);
  out->height = declared(in, height_axis);
  out->width = declared(in, height_axis + 1);
  if (!is_channels(out->channels))
    return report_failure_of("%s: input '%s' wants %lld channels at axis %d: images have 1 or 3 (see --layout)", path,
                             in->name, (long long)in->dims[channels_axis], channels_axis);
  if (out->channels == 1 && (recipe->mean_count == 3 || recipe->std_count == 3))
    return report_failure_of("%s: input '%s' has one channel: --mean and --std take one number", path, in->name);
  return EXIT_DONE;
}

/* ---- one image ---- */

static int resize(const char *path, const image_recipe *recipe, image *img) {
  int64_t width = recipe->resize_width, height = recipe->resize_height;
  if (width == 0) return EXIT_DONE;
  if (height == 0) { /* torchvision's rule: the longer side is rounded down */
    int64_t side = width, shorter = img->width < img->height ? img->width : img->height;
    width = side * img->width / shorter;
    height = side * img->height / shorter;
  }
  if (width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX || width * height > IMAGE_PIXEL_MAX)
    return report_failure_of("%s: %d x %d pixels would be resized to %lld x %lld", path, img->width, img->height,
                             (long long)width, (long long)height);
  image_resize(img, (int)width, (int)height);
  return EXIT_DONE;
}

static int crop(const char *path, const image_recipe *recipe, image *img) {
  if (recipe->crop_width == 0) return EXIT_DONE;
  if (recipe->crop_width > img->width || recipe->crop_height > img->height)
    return report_failure_of("%s: %d x %d pixels are less than --crop %dx%d (height x width): --resize comes first",
                             path, img->width, img->height, recipe->crop_height, recipe->crop_width);
  image_crop(img, recipe->crop_width, recipe->crop_height);
  return EXIT_DONE;
}

static int check_size(const char *path, const target *to, const image *img) {
  if ((to->width == 0 || img->width == to->width) && (to->height == 0 || img->height == to->height)) return EXIT_DONE;
  return report_failure_of("%s: %d x %d pixels (width x height), %d x %d are needed for input '%s': --resize HxW, or "
                           "--resize N --crop HxW",
                           path, img->width, img->height, to->width, to->height, to->input.name);
}

static int prepare(const char *path, const target *to, image *img) {
  int code = image_read(path, to->channels, img);
  if (code == EXIT_DONE) code = resize(path, to->recipe, img);
  if (code == EXIT_DONE) code = crop(path, to->recipe, img);
  if (code == EXIT_DONE) code = check_size(path, to, img);
  return code;
}

static void store_bytes(const target *to, const image *img, uint8_t *row) {
  size_t count = (size_t)img->width * (size_t)img->height, channels = (size_t)img->channels;
  if (to->channels_last) {
    memcpy(row, img->pixels, count * channels);
    return;
  }
  for (size_t c = 0; c < channels; c++)
    for (size_t i = 0; i < count; i++) *row++ = img->pixels[i * channels + c];
}

/* (byte / 255 - mean) / std, looked up among the 256 that there are. */
static void store_floats(const target *to, const image *img, float *row) {
  const image_recipe *r = to->recipe;
  size_t count = (size_t)img->width * (size_t)img->height, channels = (size_t)img->channels;
  size_t step = to->channels_last ? channels : 1;
  for (size_t c = 0; c < channels; c++) {
    float mean = r->mean_count ? r->mean[r->mean_count == 1 ? 0 : c] : 0, values[256];
    float std = r->std_count ? r->std[r->std_count == 1 ? 0 : c] : 1;
    for (int i = 0; i < 256; i++) values[i] = ((float)i / 255 - mean) / std;
    float *plane = row + (to->channels_last ? c : c * count);
    for (size_t i = 0; i < count; i++) plane[i * step] = values[img->pixels[i * channels + c]];
  }
}

/* ---- all of them ---- */

static int create_array(const char *path, const target *to, size_t rows, size_t index, data_arrays *arrays) {
  int64_t dims[4] = {(int64_t)rows, to->channels, to->height, to->width};
  int64_t last[4] = {(int64_t)rows, to->height, to->width, to->channels};
  return data_store(path, to->input.type, 4, to->channels_last ? last : dims, index, arrays);
}

/* One decoded image is held beside the finished rows. */
static int read_all(const char *path, target *to, const image_files *files, size_t index, data_arrays *arrays) {
  int code = EXIT_DONE;
  for (size_t i = 0; i < files->count && code == EXIT_DONE; i++) {
    image img;
    code = prepare(files->paths[i], to, &img);
    if (code == EXIT_DONE && i == 0) {
      to->width = img.width;
      to->height = img.height;
      code = create_array(path, to, files->count, index, arrays);
    }
    if (code == EXIT_DONE) {
      uint8_t *data = rango_tensor_data_mut(arrays->items[index]);
      uint8_t *row = data + i * (rango_tensor_bytes(arrays->items[index]) / files->count);
      if (to->input.type == RANGO_UINT8)
        store_bytes(to, &img, row);
      else
        store_floats(to, &img, (float *)(void *)row);
    }
    image_free(&img);
    if (!progress_show(NULL, (double)(i + 1) / (double)files->count, "reading images") && code == EXIT_DONE)
      code = report_failure_of("interrupted");
  }
  progress_clear();
  return code;
}

static int set_labels(const image_files *files, data_arrays *arrays) {
  int64_t rows = (int64_t)files->count;
  if (files->class_count == 0 || arrays->labels) return EXIT_DONE;
  if (rango_tensor_create(RANGO_INT64, 1, &rows, &arrays->labels) != RANGO_OK) return report_failure();
  memcpy(rango_tensor_data_mut(arrays->labels), files->classes, files->count * sizeof *files->classes);
  return EXIT_DONE;
}

int data_load_images(const image_recipe *recipe, const rango_model *model, size_t index, const char *path,
                     data_arrays *arrays) {
  target to;
  image_files files = {0};
  int code = find_target(path, recipe, model, index, &to);
  if (code == EXIT_DONE) code = image_files_list(path, &files);
  if (code == EXIT_DONE) code = read_all(path, &to, &files, index, arrays);
  if (code == EXIT_DONE) code = set_labels(&files, arrays);
  image_files_free(&files);
  return code;
}
