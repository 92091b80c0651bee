/* What families share in compute: checked access to inputs, and rows of any floating type taken as double. */
#ifndef RG_OPS_COMPUTE_H
#define RG_OPS_COMPUTE_H

#include "base/checked.h"
#include "ops/support.h"

/* Input `index`, present and row-major, of type float32 or float64, and of at least `min_rank` axes. */
rango_status rg_need_float(const rg_exec *exec, int index, int min_rank, const rango_tensor **out);
/* Input `index`, present and of any numeric type. */
rango_status rg_need_tensor(const rg_exec *exec, int index, int min_rank, const rango_tensor **out);
/* Input `index` of the same type as `like`, or *out = NULL when it is absent. */
rango_status rg_optional_like(const rg_exec *exec, int index, const rango_tensor *like, const rango_tensor **out);
/* The same for a vector: 1 axis of `size` elements. */
rango_status rg_optional_vector(const rg_exec *exec, int index, const rango_tensor *like, int64_t size,
                                const rango_tensor **out);
/* The elements of an integer input (int32 or int64) as int64 in scratch; *out = NULL and *count = 0 when absent. */
rango_status rg_exec_integers(rg_exec *exec, int index, const int64_t **out, int64_t *count);
/* rg_exec_scratch of count * size bytes; RANGO_ERROR_LIMIT on overflow or a negative count. */
rango_status rg_scratch_array(rg_exec *exec, int64_t count, size_t size, void **out);
/* All elements of a floating tensor as double, in scratch. */
rango_status rg_scratch_doubles(rg_exec *exec, const rango_tensor *tensor, double **out);

/* Product of dims [begin, end). Of a tensor's own shape, whose product was checked when it was made. */
static inline int64_t rg_dims_product(const rg_shape *shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; i++) product *= shape->dims[i];
  return product;
}

static inline int64_t rg_tensor_elements(const rango_tensor *tensor) {
  return rg_dims_product(&tensor->shape, 0, tensor->shape.rank);
}

/* row[i] = tensor[start + i * step], and back. float32 and float64 directly, the rest through rg_tensor_get_double. */
static inline void rg_load_row(const rango_tensor *tensor, int64_t start, int64_t step, int64_t count, double *row) {
  if (tensor->type == RANGO_FLOAT32) {
    const float *data = tensor->data;
    for (int64_t i = 0; i < count; i++) row[i] = data[start + i * step];
  } else if (tensor->type == RANGO_FLOAT64) {
    const double *data = tensor->data;
    for (int64_t i = 0; i < count; i++) row[i] = data[start + i * step];
  } else {
    for (int64_t i = 0; i < count; i++) row[i] = rg_tensor_get_double(tensor, start + i * step);
  }
}

static inline void rg_store_row(rango_tensor *tensor, int64_t start, int64_t step, int64_t count, const double *row) {
  if (tensor->type == RANGO_FLOAT32) {
    float *data = tensor->data;
    for (int64_t i = 0; i < count; i++) data[start + i * step] = (float)row[i];
  } else if (tensor->type == RANGO_FLOAT64) {
    double *data = tensor->data;
    for (int64_t i = 0; i < count; i++) data[start + i * step] = row[i];
  } else {
    for (int64_t i = 0; i < count; i++) rg_tensor_set_double(tensor, start + i * step, row[i]);
  }
}

#endif
