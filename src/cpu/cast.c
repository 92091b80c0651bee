/* Cast among the types that networks' inputs and outputs have, as ops/family_cast.c defines it. */
#include <math.h>

#include "cpu/families.h"
#include "cpu/parallel.h"
#include "cpu/product.h"
#include "kernels/vector.h"

typedef void (*convert)(const rg_vector_kernels *kernels, const void *x, void *y, size_t n);

typedef struct cast_state {
  const rg_vector_kernels *kernels;
  convert convert;
  rango_type type;
  rg_shape shape;
  size_t count, x_bytes, y_bytes; /* of an element */
} cast_state;

static void u8_to_float(const rg_vector_kernels *k, const void *x, void *y, size_t n) { k->from_u8(x, y, n); }
static void i8_to_float(const rg_vector_kernels *k, const void *x, void *y, size_t n) { k->from_i8(x, y, n); }
static void i32_to_float(const rg_vector_kernels *k, const void *x, void *y, size_t n) { k->from_i32(x, y, n); }
static void half_to_float(const rg_vector_kernels *k, const void *x, void *y, size_t n) { k->from_half(x, y, n); }
static void float_to_half(const rg_vector_kernels *k, const void *x, void *y, size_t n) { k->to_half(x, y, n); }

/* Truncated towards zero and held to the type's range; NaN becomes 0. `top` is the first float32 that is too large. */
#define FLOAT_TO_INTEGER(name, type, low, high, top)                                                                   \
  static void name(const rg_vector_kernels *k, const void *from, void *to, size_t n) {                                 \
    const float *x = from;                                                                                             \
    type *y = to;                                                                                                      \
    for (size_t i = 0; i < n; i++)                                                                                     \
      y[i] = isnan(x[i]) ? 0 : x[i] >= (top) ? (high) : x[i] <= (float)(low) ? (low) : (type)x[i];                     \
  }
FLOAT_TO_INTEGER(float_to_i64, int64_t, INT64_MIN, INT64_MAX, 9223372036854775808.0f)
FLOAT_TO_INTEGER(float_to_i32, int32_t, INT32_MIN, INT32_MAX, 2147483648.0f)
FLOAT_TO_INTEGER(float_to_u8, uint8_t, 0, UINT8_MAX, 256.0f)
FLOAT_TO_INTEGER(float_to_i8, int8_t, INT8_MIN, INT8_MAX, 128.0f)

#define CONVERT(name, from_type, to_type, expression)                                                                  \
  static void name(const rg_vector_kernels *k, const void *from, void *to, size_t n) {                                 \
    const from_type *in = from;                                                                                        \
    to_type *y = to;                                                                                                   \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      const from_type x = in[i];                                                                                       \
      y[i] = (to_type)(expression);                                                                                    \
    }                                                                                                                  \
  }
CONVERT(i64_to_float, int64_t, float, x)
CONVERT(float_to_bool, float, uint8_t, x != 0)
CONVERT(i64_to_i32, int64_t, int32_t, (uint32_t)(uint64_t)x)
CONVERT(i32_to_i64, int32_t, int64_t, x)
CONVERT(i64_to_bool, int64_t, uint8_t, x != 0)
CONVERT(bool_to_i64, uint8_t, int64_t, x)

static convert find(rango_type from, rango_type to) {
  static const struct {
    rango_type from, to;
    convert convert;
  } table[] = {
      {RANGO_UINT8, RANGO_FLOAT32, u8_to_float},     {RANGO_BOOL, RANGO_FLOAT32, u8_to_float},
      {RANGO_INT8, RANGO_FLOAT32, i8_to_float},      {RANGO_INT32, RANGO_FLOAT32, i32_to_float},
      {RANGO_INT64, RANGO_FLOAT32, i64_to_float},    {RANGO_FLOAT16, RANGO_FLOAT32, half_to_float},
      {RANGO_FLOAT32, RANGO_FLOAT16, float_to_half}, {RANGO_FLOAT32, RANGO_INT64, float_to_i64},
      {RANGO_FLOAT32, RANGO_INT32, float_to_i32},    {RANGO_FLOAT32, RANGO_UINT8, float_to_u8},
      {RANGO_FLOAT32, RANGO_INT8, float_to_i8},      {RANGO_FLOAT32, RANGO_BOOL, float_to_bool},
      {RANGO_INT64, RANGO_INT32, i64_to_i32},        {RANGO_INT32, RANGO_INT64, i32_to_i64},
      {RANGO_INT64, RANGO_BOOL, i64_to_bool},        {RANGO_BOOL, RANGO_INT64, bool_to_i64},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].from == from && table[i].to == to) return table[i].convert;
  return NULL;
}

typedef struct arrays {
  const cast_state *state;
  const char *x;
  char *y;
} arrays;

static void part(const void *argument, size_t begin, size_t end) {
  const arrays *a = argument;
  const cast_state *s = a->state;
  s->convert(s->kernels, a->x + begin * s->x_bytes, a->y + begin * s->y_bytes, end - begin);
}

static rango_status run(rg_exec *exec) {
  const cast_state *s = exec->state;
  rango_tensor *y;
  RG_TRY(rg_exec_output(exec, 0, s->type, &s->shape, &y));
  const arrays a = {s, rg_exec_input(exec, 0)->data, y->data};
  rg_cpu_parallel(exec->threads, s->count, 64, 2 * s->count, part, &a);
  return RANGO_OK;
}

static rango_status prepare_cast(rg_prepare *prepare) {
  const rg_fact *x = prepare->inputs[0], *y = prepare->outputs[0];
  if (!x || !y || !rg_fact_is_concrete(x) || !rg_fact_is_concrete(y)) return RANGO_OK;
  const convert function = find(x->type, y->type);
  if (!function || prepare->node->inputs[0]->layout != prepare->node->outputs[0]->layout) return RANGO_OK;
  cast_state *state;
  RG_TRY(rg_arena_alloc(prepare->arena, sizeof *state, RG_OUT(&state)));
  *state = (cast_state){.kernels = prepare->kernels->vector,
                        .convert = function,
                        .type = y->type,
                        .count = rg_cpu_count(x, 0, x->rank),
                        .x_bytes = rango_type_bits(x->type) / 8,
                        .y_bytes = rango_type_bits(y->type) / 8};
  RG_TRY(rg_fact_shape(y, &state->shape));
  prepare->state = state;
  prepare->run = run;
  return RANGO_OK;
}

/* Elements stay where they are, which the portable code for other types keeps to as well. */
static rg_layout_support cast_layout(const rg_node *node, const rg_facts *facts) {
  const rg_fact *x = node->inputs[0] ? rg_facts_of(facts, node->inputs[0]) : NULL;
  const rg_fact *y = rg_facts_of(facts, node->outputs[0]);
  return x && y && find(x->type, y->type) ? RG_LAYOUT_ANY : RG_LAYOUT_NONE;
}

static const rg_cpu_operator operators[] = {
    {"", "Cast", prepare_cast, cast_layout},
    {"", "CastLike", prepare_cast, NULL},
};
RG_CPU_EXPORT(cast, operators);
