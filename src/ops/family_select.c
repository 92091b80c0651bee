/* Where and Clip. */
#include "ops/compute.h"
#include "ops/walk.h"

#include <math.h>
#include <string.h>

/* ---- Where ---- */

static rango_status infer_where(rg_infer *infer) {
  int rank = 0;
  int64_t dims[RANGO_MAX_RANK] = {0};
  for (int i = 0; i < 3; i++) {
    const rg_fact *x = infer->inputs[i];
    if (x->rank < 0)
      rank = -1;
    else if (rank >= 0 && !rg_broadcast_dims(rank, dims, x->rank, x->dims, &rank, dims))
      return rg_infer_fail(infer, "the inputs' shapes can't be broadcast together (input %d)", i);
  }
  rg_fact_set(infer->outputs[0], infer->inputs[1]->type, rank, dims);
  const int64_t *from[3];
  int64_t counts[3], most = 1, values[RG_KNOWN_MAX];
  for (int i = 0; i < 3; i++) {
    from[i] = rg_infer_known(infer, i, &counts[i]);
    if (!from[i] || (counts[i] != 1 && most != 1 && counts[i] != most)) return RANGO_OK;
    if (counts[i] != 1) most = counts[i];
  }
  for (int64_t k = 0; k < most && rank <= 1; k++) {
    int64_t chosen = from[0][counts[0] == 1 ? 0 : k];
    int64_t x = from[1][counts[1] == 1 ? 0 : k], y = from[2][counts[2] == 1 ? 0 : k];
    values[k] = rg_size_is_known(chosen) ? (chosen ? x : y) : x == y ? x : RG_SIZE_UNKNOWN;
  }
  return rank <= 1 ? rg_infer_set_known(infer, 0, values, most) : RANGO_OK;
}

typedef struct pair {
  uint64_t low, high;
} pair;

#define CHOOSE(T)                                                                                                      \
  do {                                                                                                                 \
    const T *x = from_x, *y = from_y;                                                                                  \
    T *z = to;                                                                                                         \
    x += walk->offset[1];                                                                                              \
    y += walk->offset[2];                                                                                              \
    z += walk->offset[3];                                                                                              \
    for (int64_t i = 0; i < walk->count; i++)                                                                          \
      z[i] = c[i * walk->step[0]] ? x[i * walk->step[1]] : y[i * walk->step[2]];                                       \
  } while (0)

static void choose_row(const rg_walk *walk, size_t size, const uint8_t *c, const void *from_x, const void *from_y,
                       void *to) {
  c += walk->offset[0];
  switch (size) {
  case 1:
    CHOOSE(uint8_t);
    break;
  case 2:
    CHOOSE(uint16_t);
    break;
  case 4:
    CHOOSE(uint32_t);
    break;
  case 8:
    CHOOSE(uint64_t);
    break;
  default:
    CHOOSE(pair);
    break;
  }
}

static rango_status compute_where(rg_exec *exec) {
  const rango_tensor *in[3];
  rango_tensor *out;
  rg_shape shape = {0};
  int64_t strides[4][RANGO_MAX_RANK];
  for (int i = 0; i < 3; i++) {
    in[i] = rg_exec_input(exec, i);
    if (!in[i]) return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is missing or no tensor", i);
    if (!rg_broadcast_shape(&shape, &in[i]->shape, &shape))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "the inputs' shapes can't be broadcast together");
  }
  if (in[0]->type != RANGO_BOOL || in[1]->type != in[2]->type)
    return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "inputs of types %s, %s, %s", rango_type_name(in[0]->type),
                        rango_type_name(in[1]->type), rango_type_name(in[2]->type));
  RG_TRY(rg_exec_output(exec, 0, in[1]->type, &shape, &out));
  if (!out) return RANGO_OK;
  for (int i = 0; i < 3; i++) rg_broadcast_strides(&in[i]->shape, &shape, strides[i]);
  rg_row_major_strides(&shape, strides[3]);
  rg_walk walk;
  rg_walk_start(&walk, &shape, 4, (const int64_t *const[]){strides[0], strides[1], strides[2], strides[3]});
  while (rg_walk_next(&walk))
    choose_row(&walk, rg_element_bytes(out->type), in[0]->data, in[1]->data, in[2]->data, out->data);
  return RANGO_OK;
}

/* ---- Clip: limits are attributes before opset 11. The upper one wins where they cross ---- */

#define CLIP(T, low, high)                                                                                             \
  do {                                                                                                                 \
    const T *from = x->data;                                                                                           \
    T *to = y->data, bottom = (T)(low), top = (T)(high);                                                               \
    for (int64_t i = 0; i < count; i++) {                                                                              \
      T v = from[i] < bottom ? bottom : from[i];                                                                       \
      to[i] = v > top ? top : v;                                                                                       \
    }                                                                                                                  \
  } while (0)

static rango_status read_limit(const rg_exec *exec, int index, const rango_tensor *x, const rango_tensor **out) {
  RG_TRY(rg_optional_like(exec, index, x, out));
  if (*out && rg_tensor_elements(*out) != 1)
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "limit (input %d) has %lld elements, needs 1", index,
                        (long long)rg_tensor_elements(*out));
  return RANGO_OK;
}

static void clip_integers(const rango_tensor *x, const rango_tensor *low, const rango_tensor *high, rango_tensor *y,
                          int64_t count) {
  int64_t row[RG_ROW_MAX], least = INT64_MIN, most = INT64_MAX;
  if (low) rg_load_integers(low->type, low->data, 0, 1, 1, &least);
  if (high) rg_load_integers(high->type, high->data, 0, 1, 1, &most);
  for (int64_t start = 0; start < count; start += RG_ROW_MAX) {
    int64_t part = count - start < RG_ROW_MAX ? count - start : RG_ROW_MAX;
    rg_load_integers(x->type, x->data, start, 1, part, row);
    for (int64_t i = 0; i < part; i++) {
      int64_t v = row[i] < least ? least : row[i];
      row[i] = v > most ? most : v;
    }
    rg_store_integers(y->type, y->data, start, 1, part, row);
  }
}

static rango_status compute_clip(rg_exec *exec) {
  const rango_tensor *x, *low = NULL, *high = NULL;
  rango_tensor *y;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  float least = -INFINITY, most = INFINITY;
  if (exec->node->version < 11) {
    least = rg_node_float(exec->node, "min", least);
    most = rg_node_float(exec->node, "max", most);
  } else {
    RG_TRY(read_limit(exec, 1, x, &low));
    RG_TRY(read_limit(exec, 2, x, &high));
  }
  RG_TRY(rg_exec_output(exec, 0, x->type, &x->shape, &y));
  int64_t count = rg_tensor_elements(x);
  if (!y) return RANGO_OK;
  if (x->type == RANGO_FLOAT32)
    CLIP(float, low ? *(const float *)low->data : least, high ? *(const float *)high->data : most);
  else if (x->type == RANGO_FLOAT64)
    CLIP(double, low ? *(const double *)low->data : (double)least, high ? *(const double *)high->data : (double)most);
  else if (x->type == RANGO_UINT64)
    CLIP(uint64_t, low ? *(const uint64_t *)low->data : 0, high ? *(const uint64_t *)high->data : UINT64_MAX);
  else if (rg_type_is_integer(x->type) && rg_element_bytes(x->type) > 0)
    clip_integers(x, low, high, y, count);
  else
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  return RANGO_OK;
}

static const rg_op ops[] = {
    {"", "Clip", 1, 10, 1, 1, 1, 1, RG_OP_ELEMENTWISE | RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first, compute_clip,
     NULL},
    {"", "Clip", 11, RG_OPSET_MAX, 1, 3, 1, 1, RG_OP_ELEMENTWISE | RG_OP_FLOAT_ONLY, NULL, rg_infer_same_as_first,
     compute_clip, NULL},
    {"", "Where", 9, RG_OPSET_MAX, 3, 3, 1, 1, RG_OP_ELEMENTWISE | RG_OP_MOVE, NULL, infer_where, compute_where, NULL},
};

RG_OPS_EXPORT(select, ops);
