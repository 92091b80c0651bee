/* The data's rows, and what layers weigh them with, as small pictures. */
#include <math.h>
#include <string.h>

#include "compress/portrait.h"

#define FLAT_MIN   16  /* elements of a curve, at least */
#define FLAT_ROWS  32  /* rows looked at */
#define SMOOTHNESS 0.5 /* mean squared step between neighbours over twice the variance: 1 for unrelated numbers */

static int64_t data_row(const rango_dataset *data, int64_t row) { return data->order ? data->order[row] : row; }

/* Mean squared difference of elements `step` apart, over twice the variance; 1 for unrelated elements. */
static double roughness(const rango_dataset *data, const rango_tensor *array, int64_t length, int64_t step) {
  double sum = 0, squares = 0, steps = 0;
  int64_t rows = data->rows < FLAT_ROWS ? data->rows : FLAT_ROWS;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0, from = data_row(data, i) * length; j < length; j++) {
      double x = rg_tensor_get_double(array, from + j);
      sum += x;
      squares += x * x;
      if (j >= step) steps += pow(x - rg_tensor_get_double(array, from + j - step), 2);
    }
  double elements = (double)(rows * length), pairs = (double)(rows * (length - step));
  double variance = squares / elements - pow(sum / elements, 2);
  return variance > 0 ? steps / pairs / (2 * variance) : INFINITY;
}

static bool view_flat(const rango_dataset *data, const rango_tensor *array, rg_view *view) {
  int64_t length = array->shape.dims[array->shape.rank - 1], side = (int64_t)lround(sqrt((double)length));
  if (length < FLAT_MIN) return false;
  double along = roughness(data, array, length, 1);
  if (!(along < SMOOTHNESS)) return false;
  view->channels = view->height = 1;
  view->width = length;
  if (side * side == length && roughness(data, array, length, side) < 2 * along) view->height = view->width = side;
  return true;
}

/* [rows][height][width] is an image where neighbours are alike along both axes. */
static bool view_grey(const rango_dataset *data, const rango_tensor *array, rg_view *view) {
  int64_t height = array->shape.dims[1], width = array->shape.dims[2];
  if (height < 2 || width < 2 || height * width < FLAT_MIN) return false;
  if (!(roughness(data, array, height * width, 1) < SMOOTHNESS)) return false;
  if (!(roughness(data, array, height * width, width) < SMOOTHNESS)) return false;
  view->channels = 1;
  view->height = height;
  view->width = width;
  return true;
}

static bool is_colours(int64_t size) { return size == 1 || size == 3; }

static bool view_shape(const rango_dataset *data, const rango_tensor *array, rg_view *view) {
  int rank = array->shape.rank;
  const int64_t *dims = array->shape.dims;
  if (rank == 4 && is_colours(dims[1]) && dims[2] > 1 && dims[3] > 1) {
    view->channels = dims[1];
    view->height = dims[2];
    view->width = dims[3];
  } else if (rank == 4 && is_colours(dims[3]) && dims[1] > 1 && dims[2] > 1) {
    view->channels = dims[3];
    view->height = dims[1];
    view->width = dims[2];
    view->channels_last = view->channels > 1;
  } else if (rg_type_is_float(array->type) || array->type == RANGO_UINT8) {
    if (rank == 2 || (rank == 3 && dims[1] == 1)) return view_flat(data, array, view);
    return rank == 3 && view_grey(data, array, view);
  } else {
    return false;
  }
  return true;
}

bool rg_view_find(const rango_dataset *data, rg_view *out) {
  *out = (rg_view){.shrink = 1};
  while (out->input + 1 < data->count && data->constant[out->input]) out->input++;
  const rango_tensor *array = &data->items[out->input];
  if (data->rows == 0 || data->constant[out->input] || array->type == RANGO_STRING) return false;
  if (!view_shape(data, array, out)) return false;
  int64_t longer = out->height > out->width ? out->height : out->width;
  int64_t limit = out->height > 1 ? RG_PICTURE_SIDE : RG_CURVE_POINTS;
  out->shrink = (longer + limit - 1) / limit;
  return true;
}

/* Room for a picture of this size after shrinking. */
static rango_status make_picture(int64_t channels, int64_t height, int64_t width, int64_t shrink, rg_arena *arena,
                                 rango_picture *out, float **values) {
  int64_t h = (height + shrink - 1) / shrink, w = (width + shrink - 1) / shrink;
  RG_TRY(rg_arena_alloc(arena, (size_t)(channels * h * w) * sizeof **values, RG_OUT(values)));
  *out = (rango_picture){(int)channels, (int)h, (int)w, *values};
  return RANGO_OK;
}

/* Numbers [height][width][channels] or [channels][height][width], averaged over squares of `shrink`. */
rango_status rg_view_of_numbers(const rg_view *view, const double *numbers, rg_arena *arena, rango_picture *out) {
  float *values;
  int64_t s = view->shrink, plane = view->height * view->width;
  RG_TRY(make_picture(view->channels, view->height, view->width, s, arena, out, &values));
  for (int64_t c = 0; c < view->channels; c++)
    for (int64_t y = 0; y < view->height; y += s)
      for (int64_t x = 0; x < view->width; x += s) {
        double sum = 0;
        int64_t count = 0;
        for (int64_t i = y; i < y + s && i < view->height; i++)
          for (int64_t j = x; j < x + s && j < view->width; j++, count++) {
            int64_t pixel = i * view->width + j;
            sum += numbers[view->channels_last ? pixel * view->channels + c : c * plane + pixel];
          }
        *values++ = (float)(sum / (double)count);
      }
  return RANGO_OK;
}

rango_status rg_view_picture(const rg_view *view, const rango_dataset *data, int64_t row, rg_arena *arena,
                             rango_picture *out) {
  int64_t count = view->channels * view->height * view->width, from = data_row(data, row) * count;
  double *numbers;
  RG_TRY(rg_alloc((size_t)count * sizeof *numbers, RG_OUT(&numbers)));
  for (int64_t i = 0; i < count; i++) numbers[i] = rg_tensor_get_double(&data->items[view->input], from + i);
  rango_status status = rg_view_of_numbers(view, numbers, arena, out);
  rg_free(numbers);
  return status;
}

/* Whether the node makes an element from the element at its place (or only reshapes). */
static bool keeps_elements(const rg_node *node, bool transposes) {
  static const char *const ops[] = {"Add",     "Sub",     "Mul",     "Div",      "Cast",
                                    "Flatten", "Reshape", "Squeeze", "Identity", "Unsqueeze"};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (rg_node_is(node, ops[i])) return true;
  return transposes && rg_node_is(node, "Transpose");
}

/* The first input that isn't constant. */
static const rg_value *variable_input(const rg_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && !rg_value_constant(node->inputs[i])) return node->inputs[i];
  return NULL;
}

static bool is_data(const rg_view *view, const rango_model *model, const rg_value *value) {
  size_t next = 0;
  for (size_t i = 0; i < model->graph->inputs.count; i++) {
    if (model->graph->inputs.items[i]->constant) continue;
    if (next++ == view->input) return model->graph->inputs.items[i] == value;
  }
  return false;
}

bool rg_view_is_read_by(const rg_view *view, const rango_model *model, const rg_site *site) {
  if (site->kind == RG_SITE_CONV) {
    if (site->channels != view->channels || site->kernel_h * site->kernel_w < 2) return false;
    if (site->spatial != (view->height > 1 ? 2 : 1)) return false;
  } else if (site->inputs != view->channels * view->height * view->width) {
    return false;
  }
  const rg_value *value = rg_find_value(model->graph, site->input);
  while (value && value->producer && keeps_elements(value->producer, site->kind == RG_SITE_CONV))
    value = variable_input(value->producer);
  return value && is_data(view, model, value);
}

rango_status rg_view_weights(const rg_view *view, const rg_site *site, const double *weights, rg_arena *arena,
                             rango_picture *out) {
  if (site->kind != RG_SITE_CONV) return rg_view_of_numbers(view, weights, arena, out);
  float *values;
  int64_t channels = site->channels, kh = site->kernel_h, kw = site->kernel_w;
  RG_TRY(make_picture(channels, kh, kw, 1, arena, out, &values));
  for (int64_t c = 0; c < channels; c++)
    for (int64_t y = 0; y < kh; y++)
      for (int64_t x = 0; x < kw; x++) *values++ = (float)weights[(x * kh + y) * channels + c];
  return RANGO_OK;
}
