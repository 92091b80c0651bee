/* Functions of two elements, broadcast: what the arithmetic and comparison families share. */
#ifndef RG_OPS_BINARY_H
#define RG_OPS_BINARY_H

#include "ops/compute.h"
#include "ops/walk.h"

/* y[i] = f(a[i * a_step], b[i * b_step]) in the row's element type; y may be a. */
typedef void (*rg_binary_row)(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y, int64_t count);

/* Rows by element type; NULL: not for this operator. Integers of other widths are computed as int64. */
typedef struct rg_binary {
  rg_binary_row f32, f64, i64, u64;
  bool is_predicate; /* y is bool */
  bool takes_bool;   /* inputs may be bool */
} rg_binary;

/* Defines a row: `expression` in a and b of type T gives an R. */
#define RG_BINARY_ROW(function, T, R, expression)                                                                      \
  static void function(const void *pa, int64_t a_step, const void *pb, int64_t b_step, void *py, int64_t count) {      \
    const T *from_a = pa, *from_b = pb;                                                                                \
    R *y = py;                                                                                                         \
    if (a_step == 1 && b_step == 1) {                                                                                  \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        T a = from_a[i], b = from_b[i];                                                                                \
        y[i] = (R)(expression);                                                                                        \
      }                                                                                                                \
    } else if (a_step == 1 && b_step == 0) {                                                                           \
      T b = *from_b;                                                                                                   \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        T a = from_a[i];                                                                                               \
        y[i] = (R)(expression);                                                                                        \
      }                                                                                                                \
    } else if (a_step == 0 && b_step == 1) {                                                                           \
      T a = *from_a;                                                                                                   \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        T b = from_b[i];                                                                                               \
        y[i] = (R)(expression);                                                                                        \
      }                                                                                                                \
    } else {                                                                                                           \
      for (int64_t i = 0; i < count; i++) {                                                                            \
        T a = from_a[i * a_step], b = from_b[i * b_step];                                                              \
        y[i] = (R)(expression);                                                                                        \
      }                                                                                                                \
    }                                                                                                                  \
  }

/* Before opset 7 the second input's axes were placed by the attribute `axis`: sets `out` to its shape with ones behind.
 * Does nothing for newer nodes, or where the axes fall at the end by themselves. */
rango_status rg_binary_second_dims(const rg_node *node, int rank_a, int rank_b, const int64_t *b, int *rank,
                                   int64_t *out);

/* Output 0 = op(input 0, input 1); of all inputs from the left where there are more or fewer. `out` (may be NULL) gets
 * the output, NULL when it is absent. */
rango_status rg_binary_compute(rg_exec *exec, const rg_binary *op, rango_tensor **out);

/* Shape rule of two or more broadcast inputs; `type` RANGO_UNDEFINED: input 0's. `known` computes small known values
 * and gives RG_SIZE_UNKNOWN where it can't say; NULL: none are followed. */
rango_status rg_binary_infer(rg_infer *infer, rango_type type, int64_t (*known)(int64_t a, int64_t b));

#endif
