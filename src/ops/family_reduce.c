/* Reductions over axes. Floats are accumulated as float64, integers as int64 (which wraps around). */
#include "ops/compute.h"
#include "ops/walk.h"

#include <math.h>
#include <string.h>

typedef enum reduce_kind {
  REDUCE_SUM,
  REDUCE_MEAN,
  REDUCE_MAX,
  REDUCE_MIN,
  REDUCE_PROD,
  REDUCE_L1,
  REDUCE_L2,
  REDUCE_SUM_SQUARE,
  REDUCE_LOG_SUM,
  REDUCE_LOG_SUM_EXP
} reduce_kind;

/* ---- which axes, and the shape left ---- */

static bool axes_by_input(const rg_node *node) {
  return node->version >= (strcmp(node->op, "ReduceSum") == 0 ? 13 : 18);
}

/* reduced[axis] of the axes listed; none listed: all, or none when the node says so. False when one is out of range. */
static bool mark_reduced(const rg_node *node, const int64_t *axes, int count, int rank, bool *reduced) {
  bool all = count <= 0 && rg_node_int(node, "noop_with_empty_axes", 0) == 0;
  for (int i = 0; i < rank; i++) reduced[i] = all;
  for (int i = 0; i < count; i++) {
    int axis;
    if (!rg_axis(axes[i], rank, &axis)) return false;
    reduced[axis] = true;
  }
  return true;
}

static int reduced_dims(const rg_node *node, int rank, const int64_t *dims, const bool *reduced, int64_t *out) {
  bool keep = rg_node_int(node, "keepdims", 1) != 0;
  int left = 0;
  for (int i = 0; i < rank; i++)
    if (!reduced[i] || keep) out[left++] = reduced[i] ? 1 : dims[i];
  return left;
}

static rango_status infer_reduced(rg_infer *infer, bool *all) {
  const rg_fact *x = infer->inputs[0];
  int64_t axes[RANGO_MAX_RANK], dims[RANGO_MAX_RANK];
  bool known, reduced[RANGO_MAX_RANK] = {false};
  int count;
  *all = false;
  RG_TRY(rg_infer_axes(infer, "axes", axes_by_input(infer->node) ? 1 : -1, axes, &count, &known));
  bool keep = rg_node_int(infer->node, "keepdims", 1) != 0;
  rg_fact_set(infer->outputs[0], x->type, keep ? x->rank : -1, NULL);
  if (x->rank < 0 || !known) return RANGO_OK;
  if (!mark_reduced(infer->node, axes, count, x->rank, reduced))
    return rg_infer_fail(infer, "an axis is out of range for %d axes", x->rank);
  rg_fact_set(infer->outputs[0], x->type, reduced_dims(infer->node, x->rank, x->dims, reduced, dims), dims);
  *all = x->rank == 1 && reduced[0];
  return RANGO_OK;
}

static rango_status infer_plain(rg_infer *infer) {
  bool all;
  return infer_reduced(infer, &all);
}

/* Sizes multiplied or added up stay known. */
static rango_status infer_known(rg_infer *infer, int64_t (*fold)(int64_t a, int64_t b), int64_t start) {
  bool all;
  int64_t count;
  RG_TRY(infer_reduced(infer, &all));
  const int64_t *known = all ? rg_infer_known(infer, 0, &count) : NULL;
  if (!known) return RANGO_OK;
  for (int64_t i = 0; i < count; i++) start = fold(start, known[i]);
  return rg_infer_set_known(infer, 0, &start, 1);
}

static rango_status infer_sum(rg_infer *infer) { return infer_known(infer, rg_size_add, 0); }
static rango_status infer_prod(rg_infer *infer) { return infer_known(infer, rg_size_mul, 1); }

/* ---- rows: acc[i * acc_step] = fold(acc[i * acc_step], x[i * step]); acc_step 0 folds the row into one ---- */

typedef void (*reduce_row)(const void *from, int64_t step, double *acc, int64_t acc_step, const double *shift,
                           int64_t count);

/* `expression` in a (so far) and v (the element); `shift` is for LogSumExp alone. */
#define ROW_OF(function, T, expression)                                                                                \
  static void function(const void *from, int64_t step, double *acc, int64_t acc_step, const double *shift,             \
                       int64_t count) {                                                                                \
    const T *x = from;                                                                                                 \
    (void)shift;                                                                                                       \
    if (acc_step == 0) {                                                                                               \
      double a = *acc;                                                                                                 \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        double v = x[i * step];                                                                                        \
        a = (expression);                                                                                              \
      }                                                                                                                \
      *acc = a;                                                                                                        \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        double v = x[i * step], a = acc[i * acc_step];                                                                 \
        acc[i * acc_step] = (expression);                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
  }
#define ROW(name, expression)                                                                                          \
  ROW_OF(name##_f32, float, expression)                                                                                \
  ROW_OF(name##_f64, double, expression)

ROW(sum, a + v)
ROW(absolute, a + fabs(v))
ROW(square, a + v * v)
ROW(product, (a) * (v))
ROW(most, a > v || a != a ? a : v) /* a NaN stays */
ROW(least, a < v || a != a ? a : v)

/* Sum of e^(v - shift), shift being the row's maximum. */
#define EXP_ROW(function, T)                                                                                           \
  static void function(const void *from, int64_t step, double *acc, int64_t acc_step, const double *shift,             \
                       int64_t count) {                                                                                \
    const T *x = from;                                                                                                 \
    for (int64_t i = 0; i < count; i++) acc[i * acc_step] += exp((double)x[i * step] - shift[i * acc_step]);           \
  }
EXP_ROW(exponential_f32, float)
EXP_ROW(exponential_f64, double)

static reduce_row row_of(reduce_kind kind, bool is_f32) {
  switch (kind) {
  case REDUCE_MAX:
    return is_f32 ? most_f32 : most_f64;
  case REDUCE_MIN:
    return is_f32 ? least_f32 : least_f64;
  case REDUCE_PROD:
    return is_f32 ? product_f32 : product_f64;
  case REDUCE_L1:
    return is_f32 ? absolute_f32 : absolute_f64;
  case REDUCE_L2:
  case REDUCE_SUM_SQUARE:
    return is_f32 ? square_f32 : square_f64;
  case REDUCE_LOG_SUM_EXP:
    return is_f32 ? exponential_f32 : exponential_f64;
  default:
    return is_f32 ? sum_f32 : sum_f64;
  }
}

static void run_rows(const rango_tensor *x, const int64_t *acc_strides, reduce_row row, double *acc,
                     const double *shift) {
  int64_t strides[RANGO_MAX_RANK];
  rg_walk walk;
  rg_row_major_strides(&x->shape, strides);
  rg_walk_start(&walk, &x->shape, 2, (const int64_t *const[]){strides, acc_strides});
  while (rg_walk_next(&walk))
    row((const char *)x->data + (size_t)walk.offset[0] * rg_element_bytes(x->type), walk.step[0], acc + walk.offset[1],
        walk.step[1], shift + walk.offset[1], walk.count);
}

static double start_value(reduce_kind kind) {
  return kind == REDUCE_PROD ? 1 : kind == REDUCE_MAX ? -INFINITY : kind == REDUCE_MIN ? INFINITY : 0;
}

static double finish_value(reduce_kind kind, double sum, double shift, double elements) {
  switch (kind) {
  case REDUCE_MEAN:
    return sum / elements;
  case REDUCE_L2:
    return sqrt(sum);
  case REDUCE_LOG_SUM:
    return log(sum);
  case REDUCE_LOG_SUM_EXP:
    return log(sum) + shift;
  default:
    return sum;
  }
}

static rango_status reduce_floats(rg_exec *exec, reduce_kind kind, const rango_tensor *x, const int64_t *acc_strides,
                                  double elements, rango_tensor *y) {
  int64_t count = rg_tensor_elements(y);
  double *acc, *shift = NULL;
  bool is_f32 = x->type == RANGO_FLOAT32;
  RG_TRY(rg_scratch_array(exec, count, sizeof *acc, RG_OUT(&acc)));
  RG_TRY(rg_scratch_array(exec, count, sizeof *shift, RG_OUT(&shift)));
  for (int64_t i = 0; i < count; i++) shift[i] = -INFINITY;
  if (kind == REDUCE_LOG_SUM_EXP) run_rows(x, acc_strides, row_of(REDUCE_MAX, is_f32), shift, shift);
  for (int64_t i = 0; i < count; i++) {
    acc[i] = start_value(kind);
    if (isinf(shift[i])) shift[i] = 0;
  }
  run_rows(x, acc_strides, row_of(kind, is_f32), acc, shift);
  for (int64_t i = 0; i < count; i++) acc[i] = finish_value(kind, acc[i], shift[i], elements);
  rg_store_row(y, 0, 1, count, acc);
  return RANGO_OK;
}

/* ---- integers ---- */

static int64_t fold_integer(reduce_kind kind, bool is_u64, int64_t a, int64_t v) {
  uint64_t ua = (uint64_t)a, uv = (uint64_t)v;
  bool less = is_u64 ? ua < uv : a < v;
  switch (kind) {
  case REDUCE_MAX:
    return less ? v : a;
  case REDUCE_MIN:
    return less ? a : v;
  case REDUCE_PROD:
    return (int64_t)(ua * uv);
  case REDUCE_L1:
    return (int64_t)(ua + (v < 0 && !is_u64 ? 0 - uv : uv));
  case REDUCE_L2:
  case REDUCE_SUM_SQUARE:
    return (int64_t)(ua + uv * uv);
  default:
    return (int64_t)(ua + uv);
  }
}

static int64_t start_integer(reduce_kind kind, rango_type type) {
  bool is_signed = type == RANGO_INT8 || type == RANGO_INT16 || type == RANGO_INT32 || type == RANGO_INT64;
  int bits = type == RANGO_BOOL ? 1 : (int)rango_type_bits(type);
  if (kind == REDUCE_PROD) return 1;
  if (kind == REDUCE_MAX) return is_signed ? -(int64_t)(UINT64_MAX >> 1 >> (64 - bits)) - 1 : 0;
  if (kind == REDUCE_MIN) return (int64_t)(UINT64_MAX >> (64 - bits) >> is_signed);
  return 0;
}

static int64_t finish_integer(reduce_kind kind, bool is_u64, int64_t sum, int64_t elements) {
  switch (kind) {
  case REDUCE_MEAN:
    if (elements == 0) return 0;
    return is_u64 ? (int64_t)((uint64_t)sum / (uint64_t)elements) : sum / elements;
  case REDUCE_L2:
    return sum < 0 ? 0 : (int64_t)sqrt((double)sum);
  default:
    return sum;
  }
}

static rango_status reduce_integers(rg_exec *exec, reduce_kind kind, const rango_tensor *x, const int64_t *acc_strides,
                                    int64_t elements, rango_tensor *y) {
  int64_t count = rg_tensor_elements(y), *acc, row[RG_ROW_MAX], strides[RANGO_MAX_RANK];
  bool is_u64 = x->type == RANGO_UINT64;
  rg_walk walk;
  RG_TRY(rg_scratch_array(exec, count, sizeof *acc, RG_OUT(&acc)));
  for (int64_t i = 0; i < count; i++) acc[i] = start_integer(kind, x->type);
  rg_row_major_strides(&x->shape, strides);
  rg_walk_start(&walk, &x->shape, 2, (const int64_t *const[]){strides, acc_strides});
  while (rg_walk_next(&walk))
    for (int64_t start = 0; start < walk.count; start += RG_ROW_MAX) {
      int64_t part = walk.count - start < RG_ROW_MAX ? walk.count - start : RG_ROW_MAX;
      int64_t *to = acc + walk.offset[1] + start * walk.step[1];
      rg_load_integers(x->type, x->data, walk.offset[0] + start * walk.step[0], walk.step[0], part, row);
      for (int64_t i = 0; i < part; i++)
        to[i * walk.step[1]] = fold_integer(kind, is_u64, to[i * walk.step[1]], row[i]);
    }
  for (int64_t i = 0; i < count; i++) acc[i] = finish_integer(kind, is_u64, acc[i], elements);
  rg_store_integers(y->type, y->data, 0, 1, count, acc);
  return RANGO_OK;
}

/* ---- compute ---- */

/* The output's strides seen from x's axes: 0 along reduced ones. */
static void strides_of_output(const rg_shape *x, const bool *reduced, int64_t *strides) {
  int64_t stride = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    strides[i] = reduced[i] ? 0 : stride;
    if (!reduced[i]) stride = (int64_t)((uint64_t)stride * (uint64_t)x->dims[i]);
  }
}

static rango_status reduce(rg_exec *exec, reduce_kind kind) {
  const rango_tensor *x;
  rango_tensor *y;
  int64_t axes[RANGO_MAX_RANK], strides[RANGO_MAX_RANK], elements = 1;
  bool reduced[RANGO_MAX_RANK] = {false};
  rg_shape shape;
  int count;
  RG_TRY(rg_need_tensor(exec, 0, 0, &x));
  RG_TRY(rg_exec_axes(exec, "axes", axes_by_input(exec->node) ? 1 : -1, axes, &count));
  if (!mark_reduced(exec->node, axes, count, x->shape.rank, reduced))
    return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "an axis is out of range for %d axes", x->shape.rank);
  shape.rank = reduced_dims(exec->node, x->shape.rank, x->shape.dims, reduced, shape.dims);
  RG_TRY(rg_shape_count(&shape, &(int64_t){0}));
  RG_TRY(rg_exec_output(exec, 0, x->type, &shape, &y));
  if (!y) return RANGO_OK;
  for (int i = 0; i < x->shape.rank; i++)
    if (reduced[i]) elements *= x->shape.dims[i];
  strides_of_output(&x->shape, reduced, strides);
  if (x->type == RANGO_FLOAT32 || x->type == RANGO_FLOAT64)
    return reduce_floats(exec, kind, x, strides, (double)elements, y);
  bool is_integer = (rg_type_is_integer(x->type) && rg_element_bytes(x->type) > 0) || x->type == RANGO_BOOL;
  if (!is_integer || kind == REDUCE_LOG_SUM || kind == REDUCE_LOG_SUM_EXP)
    return rg_exec_fail(exec, RANGO_ERROR_UNSUPPORTED, "input of type %s", rango_type_name(x->type));
  return reduce_integers(exec, kind, x, strides, elements, y);
}

#define COMPUTE(name, kind)                                                                                            \
  static rango_status compute_##name(rg_exec *exec) { return reduce(exec, kind); }
COMPUTE(sum, REDUCE_SUM)
COMPUTE(mean, REDUCE_MEAN)
COMPUTE(max, REDUCE_MAX)
COMPUTE(min, REDUCE_MIN)
COMPUTE(prod, REDUCE_PROD)
COMPUTE(l1, REDUCE_L1)
COMPUTE(l2, REDUCE_L2)
COMPUTE(sum_square, REDUCE_SUM_SQUARE)
COMPUTE(log_sum, REDUCE_LOG_SUM)
COMPUTE(log_sum_exp, REDUCE_LOG_SUM_EXP)

/* `by_input`: the opset since which axes are an input. */
#define ENTRIES(name, by_input, infer, compute)                                                                        \
  {"", name, 1, (by_input)-1, 1, 1, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer, compute, NULL}, {                             \
    "", name, by_input, RG_OPSET_MAX, 1, 2, 1, 1, RG_OP_FLOAT_ONLY, NULL, infer, compute, NULL                         \
  }

static const rg_op ops[] = {
    ENTRIES("ReduceL1", 18, infer_plain, compute_l1),
    ENTRIES("ReduceL2", 18, infer_plain, compute_l2),
    ENTRIES("ReduceLogSum", 18, infer_plain, compute_log_sum),
    ENTRIES("ReduceLogSumExp", 18, infer_plain, compute_log_sum_exp),
    ENTRIES("ReduceMax", 18, infer_plain, compute_max),
    ENTRIES("ReduceMean", 18, infer_plain, compute_mean),
    ENTRIES("ReduceMin", 18, infer_plain, compute_min),
    ENTRIES("ReduceProd", 18, infer_prod, compute_prod),
    ENTRIES("ReduceSum", 13, infer_sum, compute_sum),
    ENTRIES("ReduceSumSquare", 18, infer_plain, compute_sum_square),
};

RG_OPS_EXPORT(reduce, ops);
