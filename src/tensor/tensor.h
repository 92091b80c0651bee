/* Tensors, and the values that flow between nodes at run time. */
#ifndef RG_TENSOR_TENSOR_H
#define RG_TENSOR_TENSOR_H

#include "base/memory.h"

/* Physical order of a tensor's elements. Shapes are always ONNX's logical ones. */
typedef enum rg_layout {
  RG_ROW_MAJOR = 0,    /* as in ONNX: [N][C][spatial...] for images */
  RG_CHANNELS_LAST = 1 /* [N][spatial...][C]; rank >= 3 */
} rg_layout;

typedef struct rg_shape {
  int rank;
  int64_t dims[RANGO_MAX_RANK];
} rg_shape;

/* A string element. `text` is zero-terminated (embedded zeros are possible: length counts). */
typedef struct rg_string {
  const char *text;
  size_t length;
} rg_string;

struct rango_tensor {
  rango_type type;
  rg_layout layout;
  rg_shape shape;
  size_t bytes;      /* of the elements; for strings count * sizeof(char *) */
  void *data;        /* elements; strings: `const char *[count]` */
  rg_buffer *buffer; /* holds `data` (a reference), or NULL where somebody else does: a session's arena, the caller */
  uint32_t *lengths; /* strings only: each one's length; lies in `buffer` too */
};

/* Elements of a shape, and bytes of so many elements of a type; RANGO_ERROR_LIMIT on overflow, RANGO_ERROR_FORMAT on a
 * negative size. */
rango_status rg_shape_count(const rg_shape *shape, int64_t *out);
rango_status rg_type_bytes(rango_type type, int64_t count, size_t *out);
bool rg_shape_equal(const rg_shape *a, const rg_shape *b);
/* "[1, 3, 224, 224]" into `text` (for messages); returns text. */
const char *rg_shape_text(const rg_shape *shape, char *text, size_t bytes);
#define RG_SHAPE_TEXT 400

/* Logical axis at each place of the physical order, outermost first. */
void rg_physical_axes(int rank, rg_layout layout, int *axes);
/* Element strides of a tensor in its physical layout, by logical axis. */
void rg_physical_strides(int rank, const int64_t *dims, rg_layout layout, size_t *strides);

bool rg_type_is_float(rango_type type);   /* any floating type, 16 and 8 bits included */
bool rg_type_is_integer(rango_type type); /* bool not included */

/* Fills *tensor (a struct of the caller's) with a buffer of its own, uninitialised. Drop it with rg_tensor_clear. */
rango_status rg_tensor_init(rango_tensor *tensor, rango_type type, const rg_shape *shape);
/* The same over memory that is somebody else's, big enough. */
void rg_tensor_init_borrowed(rango_tensor *tensor, rango_type type, const rg_shape *shape, void *data, size_t bytes);
/* *to becomes a second view of from's data (a new reference when it has a buffer). */
void rg_tensor_init_view(rango_tensor *to, const rango_tensor *from);
/* A tensor of strings, all copied into one buffer. */
rango_status rg_tensor_init_strings(rango_tensor *tensor, const rg_shape *shape, const rg_string *strings);
void rg_tensor_clear(rango_tensor *tensor);                              /* releases and zeroes */
rango_status rg_tensor_copy(rango_tensor *to, const rango_tensor *from); /* own copy of the data */

/* Element i of a numeric tensor as a number, whatever its type (float8 and 4-bit types included). */
double rg_tensor_get_double(const rango_tensor *tensor, int64_t i);
int64_t rg_tensor_get_i64(const rango_tensor *tensor, int64_t i);
/* Rounds to nearest even; saturates integers. */
void rg_tensor_set_double(rango_tensor *tensor, int64_t i, double value);

/* Conversions, IEEE 754 round to nearest even; NaN stays NaN. */
float rg_half_to_float(uint16_t half);
uint16_t rg_float_to_half(float value);
float rg_bfloat16_to_float(uint16_t value);
uint16_t rg_float_to_bfloat16(float value);
/* Whole arrays between float32 and float16 or bfloat16 (`type` names the 16-bit side). */
void rg_widen(rango_type type, const uint16_t *from, float *to, size_t count);
void rg_narrow(rango_type type, const float *from, uint16_t *to, size_t count);
/* 8-bit floats, by type. */
float rg_float8_to_float(rango_type type, uint8_t value);
uint8_t rg_float_to_float8(rango_type type, float value, bool saturate);

/* A value at run time. */
typedef enum rg_kind {
  RG_KIND_NONE = 0, /* absent, or an optional without a value */
  RG_KIND_TENSOR,
  RG_KIND_SEQUENCE,
  RG_KIND_OPTIONAL, /* types only: at run time an optional is its value or RG_KIND_NONE */
  RG_KIND_MAP,      /* types only */
  RG_KIND_SPARSE,   /* types only */
  RG_KIND_OPAQUE    /* types only: preserved, not understood */
} rg_kind;

typedef struct rg_val {
  rg_kind kind;
  rango_tensor tensor;  /* RG_KIND_TENSOR */
  struct rg_val *items; /* RG_KIND_SEQUENCE: [count], owned (rg_alloc) */
  size_t count;
} rg_val;

void rg_val_clear(rg_val *val);
rango_status rg_val_view(rg_val *to, const rg_val *from); /* shares tensors' buffers; copies a tensor without buffer */

#endif
