/* TopK and NonMaxSuppression: what selects by order. */
#include "ops/compute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- TopK ---- */

typedef struct ranked {
  double value;
  int64_t integer; /* tells apart integers that are equal as double */
  int64_t index;
} ranked;

static int ascending(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  if (a->value != b->value) return a->value < b->value ? -1 : 1;
  if (a->integer != b->integer) return a->integer < b->integer ? -1 : 1;
  return (a->index > b->index) - (a->index < b->index);
}

/* Equal values keep their order: the lower index first. */
static int descending(const void *left, const void *right) {
  const ranked *a = left, *b = right;
  if (a->value != b->value) return a->value > b->value ? -1 : 1;
  if (a->integer != b->integer) return a->integer > b->integer ? -1 : 1;
  return (a->index > b->index) - (a->index < b->index);
}

static rango_status infer_topk(rg_infer *infer) {
  const rg_fact *x = infer->inputs[0];
  int axis;
  int64_t dims[RANGO_MAX_RANK], count = 0, k = rg_node_int(infer->node, "k", -1);
  if (infer->node->version >= 10) {
    const int64_t *known = rg_infer_known(infer, 1, &count);
    k = known && count == 1 ? known[0] : rg_infer_new_symbol(infer);
  }
  if (x->rank >= 0) {
    if (!rg_axis(rg_node_int(infer->node, "axis", -1), x->rank, &axis))
      return rg_infer_fail(infer, "axis is out of range for %d axes", x->rank);
    if (rg_size_is_known(k) && (k < 0 || (rg_size_is_known(x->dims[axis]) && k > x->dims[axis])))
      return rg_infer_fail(infer, "k is %lld, the axis has %lld elements", (long long)k, (long long)x->dims[axis]);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k;
  }
  for (int i = 0; i < infer->output_count; i++)
    if (infer->outputs[i]) rg_fact_set(infer->outputs[i], i == 0 ? x->type : RANGO_INT64, x->rank, dims);
  return RANGO_OK;
}

static rango_status topk_count(rg_exec *exec, int64_t size, int64_t *k) {
  *k = rg_node_int(exec->node, "k", -1);
  if (exec->node->version >= 10) {
    const int64_t *given;
    int64_t count;
    RG_TRY(rg_exec_integers(exec, 1, &given, &count));
    if (count != 1) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "k must have one element");
    *k = given[0];
  }
  if (*k < 0 || *k > size)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "k is %lld, the axis has %lld elements", (long long)*k,
                        (long long)size);
  return RANGO_OK;
}

static rango_status compute_topk(rg_exec *exec) {
  const rango_tensor *x;
  int axis;
  RG_TRY(rg_need_tensor(exec, 0, 1, &x));
  size_t bytes = rango_type_bits(x->type) / 8;
  if (bytes == 0) return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "elements of type %s", rango_type_name(x->type));
  if (!rg_axis(rg_node_int(exec->node, "axis", -1), x->shape.rank, &axis))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "axis is out of range for %d axes", x->shape.rank);
  int64_t k, size = x->shape.dims[axis];
  RG_TRY(topk_count(exec, size, &k));
  int64_t before = rg_dims_product(&x->shape, 0, axis), after = rg_dims_product(&x->shape, axis + 1, x->shape.rank);
  rg_shape shape = x->shape;
  shape.dims[axis] = k;
  rango_tensor *values, *indices;
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &values));
  RG_TRY(rg_exec_output(exec, 1, RANGO_INT64, &shape, &indices));
  ranked *row = NULL;
  RG_TRY(rg_scratch_array(exec, size, sizeof *row, RG_OUT(&row)));
  bool largest = rg_node_int(exec->node, "largest", 1) != 0, whole = rg_type_is_integer(x->type);
  for (int64_t b = 0; b < before; b++) {
    for (int64_t a = 0; a < after; a++) {
      int64_t start = b * size * after + a;
      for (int64_t i = 0; i < size; i++) {
        int64_t at = start + i * after;
        row[i] = (ranked){rg_tensor_get_double(x, at), whole ? rg_tensor_get_i64(x, at) : 0, i};
      }
      qsort(row, (size_t)size, sizeof *row, largest ? descending : ascending);
      for (int64_t i = 0; i < k; i++) {
        size_t to = (size_t)((b * k + i) * after + a), from = (size_t)(start + row[i].index * after);
        if (values) memcpy((char *)values->data + to * bytes, (const char *)x->data + from * bytes, bytes);
        if (indices) ((int64_t *)indices->data)[to] = row[i].index;
      }
    }
  }
  return RANGO_OK;
}

/* ---- NonMaxSuppression ---- */

typedef struct box {
  float top, left, bottom, right;
} box;

static rango_status infer_nms(rg_infer *infer) {
  rg_fact_set(infer->outputs[0], RANGO_INT64, 2, (int64_t[]){rg_infer_new_symbol(infer), 3});
  return RANGO_OK;
}

/* Corners in order; a box is given by two corners, or by centre and size. */
static box read_box(const float *data, bool centred) {
  if (centred) return (box){data[1] - data[3] / 2, data[0] - data[2] / 2, data[1] + data[3] / 2, data[0] + data[2] / 2};
  return (box){fminf(data[0], data[2]), fminf(data[1], data[3]), fmaxf(data[0], data[2]), fmaxf(data[1], data[3])};
}

static float overlap(const box *a, const box *b) {
  float height = fminf(a->bottom, b->bottom) - fmaxf(a->top, b->top);
  float width = fminf(a->right, b->right) - fmaxf(a->left, b->left);
  if (height <= 0 || width <= 0) return 0;
  float common = height * width, area_a = (a->bottom - a->top) * (a->right - a->left),
        area_b = (b->bottom - b->top) * (b->right - b->left);
  return area_a <= 0 || area_b <= 0 ? 0 : common / (area_a + area_b - common);
}

typedef struct suppression {
  const float *boxes; /* [count][4], of one batch entry */
  int64_t count, limit;
  float iou, score;
  bool centred, scored; /* scored: a score threshold is given */
  ranked *order;        /* [count] */
  box *kept;            /* [count] */
} suppression;

/* The boxes of one class that stay, best first, into picked; how many. */
static int64_t suppress(const suppression *s, const float *scores, int64_t *picked) {
  int64_t candidates = 0, count = 0;
  for (int64_t i = 0; i < s->count; i++)
    if (!s->scored || scores[i] > s->score) s->order[candidates++] = (ranked){scores[i], 0, i};
  qsort(s->order, (size_t)candidates, sizeof *s->order, descending);
  for (int64_t i = 0; i < candidates && count < s->limit; i++) {
    box candidate = read_box(s->boxes + s->order[i].index * 4, s->centred);
    bool stays = true;
    for (int64_t k = 0; stays && k < count; k++) stays = overlap(&candidate, &s->kept[k]) <= s->iou;
    if (!stays) continue;
    s->kept[count] = candidate;
    picked[count++] = s->order[i].index;
  }
  return count;
}

/* A float scalar input, or the fallback when it is absent. */
static rango_status float_scalar(const rg_exec *exec, int index, float fallback, float *out) {
  const rango_tensor *tensor = rg_exec_input(exec, index);
  *out = fallback;
  if (!tensor) return RANGO_OK;
  if (!rg_type_is_float(tensor->type) || rg_tensor_elements(tensor) != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d must be one number", index);
  *out = (float)rg_tensor_get_double(tensor, 0);
  return RANGO_OK;
}

static rango_status compute_nms(rg_exec *exec) {
  const rango_tensor *boxes = rg_exec_input(exec, 0), *scores = rg_exec_input(exec, 1);
  if (!boxes || !scores || boxes->type != RANGO_FLOAT32 || scores->type != RANGO_FLOAT32 || boxes->shape.rank != 3 ||
      scores->shape.rank != 3 || boxes->shape.dims[2] != 4 || boxes->shape.dims[1] != scores->shape.dims[2] ||
      boxes->shape.dims[0] != scores->shape.dims[0])
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT,
                        "boxes must be [batch, boxes, 4] and scores [batch, classes, boxes]");
  int64_t batch = boxes->shape.dims[0], classes = scores->shape.dims[1], limit_count, total = 0;
  const int64_t *limit;
  suppression s = {.count = boxes->shape.dims[1],
                   .scored = rg_exec_input(exec, 4) != NULL,
                   .centred = rg_node_int(exec->node, "center_point_box", 0) != 0};
  RG_TRY(rg_exec_integers(exec, 2, &limit, &limit_count));
  s.limit = limit_count > 0 ? limit[0] : 0;
  RG_TRY(float_scalar(exec, 3, 0, &s.iou));
  RG_TRY(float_scalar(exec, 4, 0, &s.score));
  int64_t *picked = NULL, *rows = NULL;
  RG_TRY(rg_scratch_array(exec, s.count, sizeof *s.order, RG_OUT(&s.order)));
  RG_TRY(rg_scratch_array(exec, s.count, sizeof *s.kept, RG_OUT(&s.kept)));
  RG_TRY(rg_scratch_array(exec, s.count, sizeof *picked, RG_OUT(&picked)));
  RG_TRY(rg_scratch_array(exec, rg_tensor_elements(scores), 3 * sizeof *rows, RG_OUT(&rows)));
  for (int64_t n = 0; n < batch; n++) {
    s.boxes = (const float *)boxes->data + n * s.count * 4;
    for (int64_t c = 0; c < classes; c++) {
      int64_t count = suppress(&s, (const float *)scores->data + (n * classes + c) * s.count, picked);
      for (int64_t i = 0; i < count; i++, total++)
        memcpy(rows + 3 * total, (int64_t[]){n, c, picked[i]}, 3 * sizeof *rows);
    }
  }
  rango_tensor *y;
  rg_shape shape = {.rank = 2, .dims = {total, 3}};
  RG_TRY(rg_exec_output(exec, 0, RANGO_INT64, &shape, &y));
  if (y && total > 0) memcpy(y->data, rows, (size_t)total * 3 * sizeof *rows);
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "TopK", 1, RG_OPSET_MAX, 1, 2, 2, 2, 0, NULL, infer_topk, compute_topk, NULL},
    {"", "NonMaxSuppression", 10, RG_OPSET_MAX, 2, 5, 1, 1, 0, NULL, infer_nms, compute_nms, NULL},
};
RG_OPS_EXPORT(topk, ops);
