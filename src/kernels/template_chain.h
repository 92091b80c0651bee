/* y = a chain of operations, a few vectors at a time, whose values stay in registers from step to step. */
#include "kernels/unroll.h"

#define CHAIN_WIDE (RG_LANES >= 16 ? 8 : 4) /* vectors: as many again for operands, of 32 or 16 registers */

/* `wide` vectors that begin at element `at`, or `rest` elements of one. */
RG_INLINE void chain_load(rg_vec *v, const rg_operand *from, size_t row, size_t at, const int wide, size_t rest) {
  const float *x = from->data + row * from->row;
  if (from->scalar) {
    const rg_vec all = v_set1(*x);
    RG_UNROLL
    for (int i = 0; i < wide; i++) v[i] = all;
  } else if (wide > 1) {
    RG_UNROLL
    for (int i = 0; i < wide; i++) v[i] = v_load(x + at + i * RG_LANES);
  } else {
    v[0] = load_some(x + at, rest, v_set1(1.0f));
  }
}

RG_INLINE void chain_store(float *y, const rg_vec *v, const int wide, size_t rest) {
  RG_UNROLL
  for (int i = 0; wide > 1 && i < wide; i++) v_store(y + i * RG_LANES, v[i]);
  if (wide == 1) store_some(y, v[0], rest);
}

#define CHAIN_EACH(expression)                                                                                         \
  RG_UNROLL                                                                                                            \
  for (int i = 0; i < wide; i++) v[i] = (expression)

RG_INLINE void chain_function(const rg_unary_call *call, rg_vec *v, const int wide) {
  const rg_vec alpha = v_set1(call->alpha), beta = v_set1(call->beta), zero = v_set1(0.0f);
  switch (call->op) {
  case RG_UNARY_RELU:
    CHAIN_EACH(v_max(zero, v[i]));
    break;
  case RG_UNARY_CLIP:
    CHAIN_EACH(v_min(beta, v_max(alpha, v[i])));
    break;
  case RG_UNARY_LEAKY_RELU:
    CHAIN_EACH(v_select(v_lt(v[i], zero), v_mul(alpha, v[i]), v[i]));
    break;
  case RG_UNARY_SQUARE:
    CHAIN_EACH(v_mul(v[i], v[i]));
    break;
  case RG_UNARY_ABS:
    CHAIN_EACH(v_abs(v[i]));
    break;
  case RG_UNARY_SQRT:
    CHAIN_EACH(v_sqrt(v[i]));
    break;
  case RG_UNARY_NEG:
    CHAIN_EACH(v_neg(v[i]));
    break;
  default: { /* longer ones: their loops, on memory that is as good as registers */
    float buffer[CHAIN_WIDE * RG_LANES];
    CHAIN_EACH((v_store(buffer + i * RG_LANES, v[i]), v[i]));
    unary(call->op, call->alpha, call->beta, buffer, buffer, (size_t)wide * RG_LANES);
    CHAIN_EACH(v_load(buffer + i * RG_LANES));
  }
  }
}

RG_INLINE void chain_binary(rg_binary op, bool swapped, rg_vec *v, const rg_vec *b, const int wide) {
  switch (2 * (int)op + swapped) {
  case 2 * RG_BINARY_ADD:
  case 2 * RG_BINARY_ADD + 1:
    CHAIN_EACH(v_add(v[i], b[i]));
    break;
  case 2 * RG_BINARY_SUB:
    CHAIN_EACH(v_sub(v[i], b[i]));
    break;
  case 2 * RG_BINARY_SUB + 1:
    CHAIN_EACH(v_sub(b[i], v[i]));
    break;
  case 2 * RG_BINARY_MUL:
  case 2 * RG_BINARY_MUL + 1:
    CHAIN_EACH(v_mul(v[i], b[i]));
    break;
  case 2 * RG_BINARY_DIV:
    CHAIN_EACH(v_div(v[i], b[i]));
    break;
  case 2 * RG_BINARY_DIV + 1:
    CHAIN_EACH(v_div(b[i], v[i]));
    break;
  case 2 * RG_BINARY_MIN:
    CHAIN_EACH(binary_min_of(v[i], b[i]));
    break;
  case 2 * RG_BINARY_MAX:
    CHAIN_EACH(binary_max_of(v[i], b[i]));
    break;
  default: /* of a slope */
    CHAIN_EACH(binary_prelu_of(v[i], b[i]));
  }
}

RG_INLINE void chain_part(const rg_chain *chain, size_t row, size_t at, float *y, const int wide, size_t rest) {
  rg_vec v[CHAIN_WIDE], b[CHAIN_WIDE];
  chain_load(v, &chain->x, row, at, wide, rest);
  for (size_t s = 0; s < chain->count; s++) {
    const rg_chain_step *step = &chain->steps[s];
    if (step->is_function) {
      chain_function(&step->function, v, wide);
    } else {
      chain_load(b, &step->operand, row, at, wide, rest);
      chain_binary(step->binary, step->swapped, v, b, wide);
    }
  }
  chain_store(y, v, wide, rest);
}

static void chain(const rg_chain *chain, float *y, size_t rows, size_t cols) {
  for (size_t row = 0; row < rows; row++, y += cols) {
    size_t at = 0;
    for (; at + CHAIN_WIDE * RG_LANES <= cols; at += CHAIN_WIDE * RG_LANES)
      chain_part(chain, row, at, y + at, CHAIN_WIDE, 0);
    for (; at < cols; at += RG_LANES) chain_part(chain, row, at, y + at, 1, cols - at);
  }
}
