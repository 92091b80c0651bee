/* What several operator families need: axes, broadcasting, common shape rules. Compiled once. */
#ifndef RG_OPS_SUPPORT_H
#define RG_OPS_SUPPORT_H

#include "ops/op.h"

/* axis in [-rank, rank) made non-negative; false when out of range. */
bool rg_axis(int64_t axis, int rank, int *out);

/* Broadcast of two sizes / of facts' shapes (NumPy rules, symbols respected: equal symbols stay, 1 gives way, an
 * unknown beside a number > 1 is that number). False on a contradiction. */
bool rg_broadcast_size(int64_t a, int64_t b, int64_t *out);
bool rg_broadcast_dims(int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank, int64_t *out);
/* Run time: the shape, and each input's element strides in it (0 where it is stretched). */
bool rg_broadcast_shape(const rg_shape *a, const rg_shape *b, rg_shape *out);
void rg_broadcast_strides(const rg_shape *from, const rg_shape *to, int64_t *strides);
void rg_row_major_strides(const rg_shape *shape, int64_t *strides);

/* Sizes through arithmetic: symbols only where the result is still that symbol (x*1, x+0, x/1), else `unknown`. */
int64_t rg_size_mul(int64_t a, int64_t b);
int64_t rg_size_add(int64_t a, int64_t b);

/* Whether a scale or bias is the same for every row of x, which is its axes from `axis` on: the row's shape, perhaps
 * behind axes of size 1. */
bool rg_is_row(const rg_fact *fact, const rg_fact *x, int axis);

/* Shape rules that many operators share. */
rango_status rg_infer_same_as_first(rg_infer *infer);  /* output 0 = input 0 (type and shape) */
rango_status rg_infer_broadcast(rg_infer *infer);      /* output 0 = broadcast of all inputs, type of input 0 */
rango_status rg_infer_broadcast_bool(rg_infer *infer); /* ... of type bool */

/* Axes given as attribute (old opsets) or as constant input (new ones): `*count` -1 when not given, RANGO_OK and *known
 * false when the input's value isn't known. `axes` has room for RANGO_MAX_RANK. */
rango_status rg_infer_axes(rg_infer *infer, const char *attribute, int input, int64_t *axes, int *count, bool *known);
rango_status rg_exec_axes(const rg_exec *exec, const char *attribute, int input, int64_t *axes, int *count);

/* Convolution and pooling geometry of spatial axis sizes. `auto_pad` NOTSET, VALID, SAME_UPPER, SAME_LOWER. */
typedef struct rg_window {
  int spatial; /* axes, 1 to 3 (bounded by RANGO_MAX_RANK - 2) */
  int64_t kernel[RANGO_MAX_RANK], stride[RANGO_MAX_RANK], dilation[RANGO_MAX_RANK];
  int64_t pad_begin[RANGO_MAX_RANK], pad_end[RANGO_MAX_RANK];
  bool same_upper, same_lower, ceil;
} rg_window;

/* Reads kernel_shape, strides, dilations, pads, auto_pad, ceil_mode; `kernel` (may be NULL) is the weight's spatial
 * dims. Fails with a message naming the node on wrong counts or non-positive values. */
rango_status rg_window_read(const rg_node *node, int spatial, const int64_t *kernel, rg_window *out);
/* Output size of spatial axis `axis` for an input of `size`; sets the pads where auto_pad leaves them open. Negative:
 * the window doesn't fit. */
int64_t rg_window_output(rg_window *window, int axis, int64_t size);

/* Functions of one element, which fused operators carry as attributes "activation", "activation_alpha",
 * "activation_beta". */
typedef enum rg_activation_kind {
  RG_ACT_NONE = 0,
  RG_ACT_RELU,
  RG_ACT_CLIP,       /* min alpha, max beta */
  RG_ACT_LEAKY_RELU, /* slope alpha */
  RG_ACT_SIGMOID,
  RG_ACT_TANH,
  RG_ACT_GELU, /* with erf */
  RG_ACT_GELU_TANH,
  RG_ACT_HARD_SIGMOID, /* max(0, min(1, alpha x + beta)) */
  RG_ACT_HARD_SWISH,
  RG_ACT_SILU,
  RG_ACT_ELU, /* slope alpha */
  RG_ACT_ERF,
  RG_ACT_EXP,
  RG_ACT_LOG,
  RG_ACT_SQRT,
  RG_ACT_RECIPROCAL,
  RG_ACT_SQUARE,
  RG_ACT_ABS,
  RG_ACT_NEG,
  RG_ACT_FLOOR,
  RG_ACT_CEIL,
  RG_ACT_ROUND,
  RG_ACT_COUNT
} rg_activation_kind;

typedef struct rg_activation {
  rg_activation_kind kind;
  float alpha, beta;
} rg_activation;

const char *rg_activation_name(rg_activation_kind kind);
rg_activation rg_activation_read(const rg_node *node);
rango_status rg_activation_write(rg_node *node, rg_activation activation);
float rg_activation_apply(rg_activation activation, float x);
/* What a standard or private node applies to each element of its input 0; false when it is no such function, or not by
 * constants. Pow is one for some exponents. */
bool rg_activation_of(const rg_node *node, rg_activation *out);

/* The one element of a constant floating-point value. */
bool rg_value_scalar(const rg_value *value, double *out);

#endif
