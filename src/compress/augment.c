#include "compress/augment.h"

#include <math.h>
#include <string.h>

#define CHANNELS_MAX 4 /* of an image; more are features */
#define SIDE_MIN     16
#define MOVE_SHARE   16  /* of a side: a sixteenth, rounded */
#define CHECKED_ROWS 256 /* that say what the outputs survive */
#define BATCH_ROWS   32
#define SURVIVES     0.75 /* of the outputs' variance */

/* ---- changing images ---- */

/* Where each pixel along a side comes from. */
static void find_sources(int64_t size, int64_t by, bool mirrored, int64_t *from) {
  for (int64_t i = 0; i < size; i++) {
    int64_t at = i + by < 0 ? -(i + by) : i + by < size ? i + by : 2 * (size - 1) - (i + by);
    from[i] = mirrored ? size - 1 - at : at;
  }
}

typedef struct box {
  int64_t top, left, height, width;
} box;

/* Of an area that is evenly distributed between nothing and the whole image. */
static box draw_box(const rg_augmentation *how, rg_random *random) {
  double side = sqrt(rg_random_uniform(random));
  box b = {.height = (int64_t)(side * (double)how->height), .width = (int64_t)(side * (double)how->width)};
  b.top = (int64_t)rg_random_below(random, (uint64_t)(how->height - b.height) + 1);
  b.left = (int64_t)rg_random_below(random, (uint64_t)(how->width - b.width) + 1);
  return b;
}

static void copy_pixels(const rg_augmentation *how, size_t bytes, const int64_t *rows, const int64_t *columns,
                        const uint8_t *from, uint8_t *to) {
  for (int64_t o = 0; o < how->outer; o++)
    for (int64_t y = 0; y < how->height; y++)
      for (int64_t x = 0; x < how->width; x++, to += bytes)
        memcpy(to, from + (size_t)((o * how->height + rows[y]) * how->width + columns[x]) * bytes, bytes);
}

static void paste(const rg_augmentation *how, size_t bytes, box b, const uint8_t *from, uint8_t *to) {
  for (int64_t o = 0; o < how->outer; o++)
    for (int64_t y = b.top; y < b.top + b.height; y++) {
      size_t at = (size_t)((o * how->height + y) * how->width + b.left) * bytes;
      memcpy(to + at, from + at, (size_t)b.width * bytes);
    }
}

static int64_t draw_move(const rg_augmentation *how, rg_random *random) {
  return (int64_t)rg_random_below(random, 2 * (uint64_t)how->move + 1) - how->move;
}

rango_status rg_augmentation_apply(const rg_augmentation *how, rg_random *random, rango_tensor *images) {
  int64_t count = images->shape.dims[0], *rows = NULL, *columns = NULL;
  size_t pixel = (size_t)how->inner * (size_t)rango_type_bits(images->type) / 8,
         each = (size_t)(how->outer * how->height * how->width) * pixel;
  uint8_t *before = NULL, *to = images->data;
  rango_status status;
  RG_TRY_DONE(rg_alloc(images->bytes, RG_OUT(&before)));
  RG_TRY_DONE(rg_alloc((size_t)how->height * sizeof *rows, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc((size_t)how->width * sizeof *columns, RG_OUT(&columns)));
  memcpy(before, to, images->bytes);
  for (int64_t i = 0; i < count; i++) {
    find_sources(how->height, draw_move(how, random), false, rows);
    int64_t across = draw_move(how, random);
    find_sources(how->width, across, how->mirror && rg_random_below(random, 2), columns);
    copy_pixels(how, pixel, rows, columns, before + (size_t)i * each, to + (size_t)i * each);
    if (!how->paste || rg_random_below(random, 2)) continue;
    size_t other = (size_t)rg_random_below(random, (uint64_t)count);
    paste(how, pixel, draw_box(how, random), before + other * each, to + (size_t)i * each);
  }
done:
  rg_free(before);
  rg_free(rows);
  rg_free(columns);
  return status;
}

/* ---- choosing ---- */

static bool is_image(const rango_tensor *array, rg_augmentation *out) {
  const int64_t *d = array->shape.dims;
  if (array->shape.rank != 4 || rango_type_bits(array->type) < 8) return false;
  bool first = d[1] <= CHANNELS_MAX, last = d[3] <= CHANNELS_MAX;
  if (first == last) return false;
  out->outer = first ? d[1] : 1;
  out->inner = first ? 1 : d[3];
  out->height = first ? d[2] : d[1];
  out->width = first ? d[3] : d[2];
  return out->height >= SIDE_MIN && out->width >= SIDE_MIN;
}

/* Sums over rows of each output, before and after: what the share of variance that stays is made from. */
typedef struct survival {
  int64_t outputs, rows;
  double *sum, *square; /* [outputs] */
  double change;
  bool reshaped; /* an output's shape depends on the image: it isn't the same answer */
} survival;

static rango_status add_outputs(survival *s, const rango_tensor *before, const rango_tensor *after) {
  int64_t count, rows = before->shape.rank ? before->shape.dims[0] : 1;
  RG_TRY(rg_shape_count(&before->shape, &count));
  s->reshaped = s->reshaped || !rg_shape_equal(&before->shape, &after->shape);
  if (s->reshaped || !count) return RANGO_OK;
  if (!s->outputs) {
    s->outputs = count / rows;
    RG_TRY(rg_calloc((size_t)s->outputs, sizeof *s->sum, RG_OUT(&s->sum)));
    RG_TRY(rg_calloc((size_t)s->outputs, sizeof *s->square, RG_OUT(&s->square)));
  }
  for (int64_t i = 0; i < count; i++) {
    double a = rg_tensor_get_double(before, i), b = rg_tensor_get_double(after, i);
    s->sum[i % s->outputs] += a;
    s->square[i % s->outputs] += a * a;
    s->change += (b - a) * (b - a);
  }
  s->rows += rows;
  return RANGO_OK;
}

static bool stays(const survival *s) {
  double variance = 0;
  for (int64_t j = 0; j < s->outputs; j++) variance += s->square[j] - s->sum[j] * s->sum[j] / (double)s->rows;
  return !s->reshaped && s->change <= (1 - SURVIVES) * variance;
}

/* One batch as it is and changed. */
static rango_status run_both(rango_session *session, const rango_dataset *data, int64_t begin, int64_t end,
                             const rg_augmentation *how, rg_random *random, rango_tensor **inputs, survival *s) {
  size_t outputs = rango_model_output_count(data->model);
  rango_tensor **before = NULL, **after = NULL;
  rango_status status;
  RG_TRY_DONE(rg_calloc(outputs, sizeof *before, RG_OUT(&before)));
  RG_TRY_DONE(rg_calloc(outputs, sizeof *after, RG_OUT(&after)));
  RG_TRY_DONE(rango_dataset_batch(data, begin, end, inputs, data->count));
  RG_TRY_DONE(rango_session_run(session, (const rango_tensor *const *)inputs, data->count, before, outputs));
  RG_TRY_DONE(rg_augmentation_apply(how, random, inputs[how->input]));
  RG_TRY_DONE(rango_session_run(session, (const rango_tensor *const *)inputs, data->count, after, outputs));
  RG_TRY_DONE(add_outputs(s, before[0], after[0]));
done:
  rg_tensors_free(inputs, data->count);
  if (before) rg_tensors_free(before, outputs);
  if (after) rg_tensors_free(after, outputs);
  rg_free(before);
  rg_free(after);
  return status;
}

static rango_status survives(rango_session *session, const rango_dataset *data, const rg_augmentation *how,
                             uint64_t seed, bool *out) {
  int64_t batch = rg_dataset_batch_rows(data, BATCH_ROWS);
  rango_tensor **inputs = NULL;
  survival s = {0};
  rg_random random;
  rango_status status;
  rg_random_seed(&random, seed);
  RG_TRY_DONE(rg_calloc(data->count, sizeof *inputs, RG_OUT(&inputs)));
  for (int64_t begin = 0; begin < data->rows && begin < CHECKED_ROWS; begin += batch) {
    int64_t end = begin + batch < data->rows ? begin + batch : data->rows;
    RG_TRY_DONE(run_both(session, data, begin, end, how, &random, inputs, &s));
  }
  *out = stays(&s);
done:
  rg_free(inputs);
  rg_free(s.sum);
  rg_free(s.square);
  return status;
}

rango_status rg_augmentation_choose(const rango_model *model, const rango_dataset *data,
                                    const rango_session_options *options, uint64_t seed, rg_augmentation *out) {
  rg_augmentation how = {0};
  rango_session *session = NULL;
  bool moved, mirrored;
  *out = (rg_augmentation){.input = -1};
  while (how.input < (int)data->count && (data->constant[how.input] || !is_image(&data->items[how.input], &how)))
    how.input++;
  if (how.input == (int)data->count) return RANGO_OK;
  rango_status status;
  RG_TRY_DONE(rango_session_create(model, options, &session));
  int64_t shorter = how.height < how.width ? how.height : how.width;
  rg_augmentation move = how, mirror = how;
  move.move = (shorter + MOVE_SHARE / 2) / MOVE_SHARE;
  mirror.mirror = true;
  RG_TRY_DONE(survives(session, data, &move, seed, &moved));
  RG_TRY_DONE(survives(session, data, &mirror, seed, &mirrored));
  how.move = moved ? move.move : 0;
  how.paste = moved;
  how.mirror = mirrored;
  if (moved || mirrored) *out = how;
done:
  rango_session_free(session);
  return status;
}
