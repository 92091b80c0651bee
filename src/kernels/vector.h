/*
 * Vector kernels: everything but GEMM and convolution. Written once, in template_*.h over
 * kernels/<isa>/simd.h and simd_math.h, and compiled for every instruction set by kernels/<isa>/vector.c.
 *
 * All arrays are dense unless a stride is named; no alignment is needed; n, rows and cols may be 0. x and y may be the
 * same array where a kernel says "in place"; other overlaps are not allowed. NaN in gives NaN out, except in
 * comparisons.
 *
 * Largest error against double precision over the whole range of float32, in units of the result's last place
 * (tests/kernels/test_vector_math.c holds every instruction set to these and prints what it finds):
 *   exp 2 · log 2 · sigmoid 4 · tanh 4 · elu 4 · erf 6 · sqrt, reciprocal, square, leaky_relu: rounded once
 *   gelu, silu 3e-7 |x|, gelu_tanh 4e-7 |x|: absolute bounds; for x < -3 these are small differences, for x < -87
 * subnormal
 */
#ifndef RG_KERNELS_VECTOR_H
#define RG_KERNELS_VECTOR_H

#include "ops/support.h" /* rg_activation */

typedef enum rg_unary {
  RG_UNARY_LINEAR = 0, /* alpha x + beta */
  RG_UNARY_RELU,
  RG_UNARY_CLIP,       /* min(beta, max(alpha, x)) */
  RG_UNARY_LEAKY_RELU, /* x < 0 ? alpha x : x */
  RG_UNARY_SIGMOID,
  RG_UNARY_TANH,
  RG_UNARY_ERF,
  RG_UNARY_GELU,         /* x (1 + erf(x / sqrt 2)) / 2 */
  RG_UNARY_GELU_TANH,    /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
  RG_UNARY_HARD_SIGMOID, /* max(0, min(1, alpha x + beta)) */
  RG_UNARY_HARD_SWISH,   /* x hard_sigmoid(x) with alpha 1/6, beta 1/2 */
  RG_UNARY_SILU,         /* x sigmoid(x) */
  RG_UNARY_ELU,          /* x < 0 ? alpha (exp(x) - 1) : x */
  RG_UNARY_EXP,
  RG_UNARY_LOG,
  RG_UNARY_SQRT,
  RG_UNARY_RECIPROCAL,
  RG_UNARY_SQUARE,
  RG_UNARY_ABS,
  RG_UNARY_NEG,
  RG_UNARY_FLOOR,
  RG_UNARY_CEIL,
  RG_UNARY_ROUND, /* ties to even */
  RG_UNARY_COUNT
} rg_unary;

typedef enum rg_binary {
  RG_BINARY_ADD = 0,
  RG_BINARY_SUB,
  RG_BINARY_MUL,
  RG_BINARY_DIV,
  RG_BINARY_MIN, /* NaN on either side gives NaN */
  RG_BINARY_MAX,
  RG_BINARY_PRELU, /* a < 0 ? a b : a */
  RG_BINARY_COUNT
} rg_binary;

typedef enum rg_compare {
  RG_COMPARE_EQUAL = 0,
  RG_COMPARE_LESS,
  RG_COMPARE_LESS_EQUAL,
  RG_COMPARE_GREATER,
  RG_COMPARE_GREATER_EQUAL,
  RG_COMPARE_COUNT
} rg_compare;

typedef enum rg_reduce {
  RG_REDUCE_SUM = 0,
  RG_REDUCE_MAX,
  RG_REDUCE_MIN,
  RG_REDUCE_SUM_SQUARE,
  RG_REDUCE_SUM_ABS,
  RG_REDUCE_COUNT
} rg_reduce;

/* A rows x cols operand: row r begins at data + r * row (row 0: the same for all rows) and has cols elements, or one
 * that stands for all of them (scalar). */
typedef struct rg_operand {
  const float *data;
  size_t row;
  bool scalar;
} rg_operand;

typedef struct rg_unary_call {
  rg_unary op;
  float alpha, beta;
} rg_unary_call;

/* Operations one behind the other, or none: each makes of v, which x is at first, a function's value or v op operand
 * (swapped, from ADD to DIV alone: operand op v). The operands have the rows and columns of the result. */
typedef struct rg_chain_step {
  bool is_function, swapped;
  rg_binary binary;
  rg_unary_call function;
  rg_operand operand;
} rg_chain_step;
typedef struct rg_chain {
  rg_operand x;
  const rg_chain_step *steps;
  size_t count;
} rg_chain;

/* Windows of one row of output pixels in a channels-last image. */
typedef struct rg_pool_row {
  bool maximum; /* the largest element; otherwise the sum times `scale` */
  float scale;
  size_t channels;
  size_t kernel_h, kernel_w; /* >= 1 */
  size_t row, col;           /* elements from one row, column of the window to the next */
  size_t step;               /* elements from one window to the next */
} rg_pool_row;

/* A few rows times a matrix that isn't packed: y[i][j] = c[i][j] + sum over q < k of x[i][q] w[q][j] for i < rows, j <
 * n. Rows of an array lie ..._row elements apart. */
#define RG_ROW_PRODUCT_MAX 4
typedef struct rg_row_product {
  size_t rows, k, n;      /* 1 <= rows <= RG_ROW_PRODUCT_MAX */
  const float *x, *w, *c; /* c: NULL for zeros; may be y */
  size_t x_row, w_row, c_row;
  float *y;
  size_t y_row;
} rg_row_product;

typedef struct rg_vector_kernels {
  /* y[n] = op(x[n]). In place. */
  void (*unary)(rg_unary op, float alpha, float beta, const float *x, float *y, size_t n);
  /* y[rows][cols] = op(a, b). In place on an operand that is dense and not scalar. */
  void (*binary)(rg_binary op, const rg_operand *a, const rg_operand *b, float *y, size_t rows, size_t cols);
  /* y[rows][cols] = the chain's result, bit by bit that of `unary` and `binary`. In place on x and operands that are
   * dense and not scalar. */
  void (*chain)(const rg_chain *chain, float *y, size_t rows, size_t cols);
  /* y[rows][cols] = 0 or 1. */
  void (*compare)(rg_compare op, const rg_operand *a, const rg_operand *b, uint8_t *y, size_t rows, size_t cols);
  /* y[n] = condition[n] ? a : b; a and b are [n], or one element where their flag is set. In place on a or b. */
  void (*where)(const uint8_t *condition, const float *a, bool a_scalar, const float *b, bool b_scalar, float *y,
                size_t n);

  /* y[rows] = op over x[rows][cols]. Sums are added in double every 1024 elements. cols 0: the operation's neutral. */
  void (*reduce_rows)(rg_reduce op, const float *x, float *y, size_t rows, size_t cols);
  /* y[cols] = op over the rows of x[rows][...], rows `stride` elements apart. Same result for any split of cols. */
  void (*reduce_columns)(rg_reduce op, const float *x, size_t stride, float *y, size_t rows, size_t cols);
  /* Softmax, or its logarithm, of each row of x[rows][cols]; of each column of x[rows][stride]. In place. */
  void (*softmax_rows)(const float *x, float *y, size_t rows, size_t cols, bool logarithm);
  void (*softmax_columns)(const float *x, float *y, size_t stride, size_t rows, size_t cols, bool logarithm);
  /* Softmax of each row of x[rows][stride] + mask that is still to be divided by the row's sum. mask's rows are
   * mask_row apart (0: one for all); NULL: none. In place. */
  void (*attention_weights)(const float *mask, size_t mask_row, float *x, size_t stride, size_t rows, size_t cols,
                            float *sums);

  /* y = (x - mean) / sqrt(variance + epsilon) * gamma + beta over each row of x[rows][cols]; rms: mean taken as 0.
   * gamma, beta: [cols] or NULL. mean, inverse: [rows] or NULL. In place. */
  void (*layer_norm)(const float *x, float *y, size_t rows, size_t cols, const float *gamma, const float *beta,
                     float epsilon, bool rms, float *mean, float *inverse);
  /* Mean and variance (divided by n; two passes) of x[n]; of each column of x[rows][stride]. */
  void (*moments)(const float *x, size_t n, float *mean, float *variance);
  void (*column_moments)(const float *x, size_t stride, size_t rows, size_t cols, float *mean, float *variance);
  /* y[rows][cols] = x scale[row] + shift[row]; = x scale[col] + shift[col]. In place. */
  void (*scale_rows)(const float *x, float *y, size_t rows, size_t cols, const float *scale, const float *shift);
  void (*scale_columns)(const float *x, float *y, size_t rows, size_t cols, const float *scale, const float *shift);

  /* y[cols][ldy] = transpose of x[rows][ldx]; ldy >= rows, ldx >= cols. Elements of 4 bytes are moved as they are. */
  void (*transpose)(const float *x, size_t ldx, float *y, size_t ldy, size_t rows, size_t cols);
  /* `count` neighbouring output pixels: y[count][channels]. x: the first window's first element. */
  void (*pool_row)(const rg_pool_row *shape, const float *x, float *y, size_t count);
  /* y[n] = sum over i < count of weight[i] x[i][n]; count >= 1. */
  void (*blend)(const float *const *x, const float *weight, size_t count, float *y, size_t n);

  void (*from_u8)(const uint8_t *x, float *y, size_t n);
  void (*from_i8)(const int8_t *x, float *y, size_t n);
  void (*from_i32)(const int32_t *x, float *y, size_t n);
  void (*from_half)(const uint16_t *x, float *y, size_t n);
  void (*to_half)(const float *x, uint16_t *y, size_t n);

  void (*row_product)(const rg_row_product *product);
  /* One LSTM step of `hidden` cells from gates[4][hidden] (ONNX's order i, o, f, c; before activation):
   * cell = sigmoid(f) cell + sigmoid(i) tanh(c), h = sigmoid(o) tanh(cell). Peepholes p[3][hidden] (i, o, f) or NULL.
   */
  void (*lstm_step)(const float *gates, const float *peepholes, float *cell, float *h, size_t hidden);
  /* GRU (order z, r, h), in two halves around the product with R_h where linear_before_reset is 0.
   * reset: r = sigmoid(gates[1]), out = r * other[hidden] (other: the hidden state, or R_h h + b where it is 1).
   * update: h = (1 - z) tanh(candidate) + z h with z = sigmoid(gates[0]). */
  void (*gru_reset)(const float *gates, const float *other, float *out, size_t hidden);
  void (*gru_update)(const float *gates, const float *candidate, float *h, size_t hidden);
} rg_vector_kernels;

/* Each defined by its folder's vector.c, for its table.c. */
extern const rg_vector_kernels rg_vector_generic, rg_vector_avx2, rg_vector_avx512, rg_vector_neon;

/* What an element of an operation takes, an addition being 1. */
static inline size_t rg_unary_cost(rg_unary op) { return op <= RG_UNARY_LEAKY_RELU || op >= RG_UNARY_SQRT ? 1 : 5; }

/* Functions of few instructions, with code of their own in a chain: others take long at the end of a row. */
static inline bool rg_chain_is_quick(rg_unary op) {
  return op == RG_UNARY_RELU || op == RG_UNARY_CLIP || op == RG_UNARY_LEAKY_RELU || op == RG_UNARY_SQUARE ||
         op == RG_UNARY_ABS || op == RG_UNARY_NEG || op == RG_UNARY_SQRT;
}

/* The unary kernel of an activation, with its parameters: RG_ACT_NONE is RG_UNARY_LINEAR with 1 and 0. */
static inline rg_unary_call rg_unary_of(rg_activation activation) {
  static const rg_unary unary[] = {
      [RG_ACT_NONE] = RG_UNARY_LINEAR,
      [RG_ACT_RELU] = RG_UNARY_RELU,
      [RG_ACT_CLIP] = RG_UNARY_CLIP,
      [RG_ACT_LEAKY_RELU] = RG_UNARY_LEAKY_RELU,
      [RG_ACT_SIGMOID] = RG_UNARY_SIGMOID,
      [RG_ACT_TANH] = RG_UNARY_TANH,
      [RG_ACT_GELU] = RG_UNARY_GELU,
      [RG_ACT_GELU_TANH] = RG_UNARY_GELU_TANH,
      [RG_ACT_HARD_SIGMOID] = RG_UNARY_HARD_SIGMOID,
      [RG_ACT_HARD_SWISH] = RG_UNARY_HARD_SWISH,
      [RG_ACT_SILU] = RG_UNARY_SILU,
      [RG_ACT_ELU] = RG_UNARY_ELU,
      [RG_ACT_ERF] = RG_UNARY_ERF,
      [RG_ACT_EXP] = RG_UNARY_EXP,
      [RG_ACT_LOG] = RG_UNARY_LOG,
      [RG_ACT_SQRT] = RG_UNARY_SQRT,
      [RG_ACT_RECIPROCAL] = RG_UNARY_RECIPROCAL,
      [RG_ACT_SQUARE] = RG_UNARY_SQUARE,
      [RG_ACT_ABS] = RG_UNARY_ABS,
      [RG_ACT_NEG] = RG_UNARY_NEG,
      [RG_ACT_FLOOR] = RG_UNARY_FLOOR,
      [RG_ACT_CEIL] = RG_UNARY_CEIL,
      [RG_ACT_ROUND] = RG_UNARY_ROUND,
  };
  if (activation.kind == RG_ACT_NONE) return (rg_unary_call){RG_UNARY_LINEAR, 1.0f, 0.0f};
  return (rg_unary_call){unary[activation.kind], activation.alpha, activation.beta};
}

#endif
