/* y = op(a, b) over rows, comparisons, and where. */

static inline rg_vec binary_min_of(rg_vec a, rg_vec b) { return v_select(v_is_nan(a), a, v_min(a, b)); }
static inline rg_vec binary_max_of(rg_vec a, rg_vec b) { return v_select(v_is_nan(a), a, v_max(a, b)); }
static inline rg_vec binary_prelu_of(rg_vec a, rg_vec b) { return v_select(v_lt(a, v_set1(0.0f)), v_mul(a, b), a); }

/* One row. Loads of a scalar operand are the same vector every time, which costs nothing beside a load. */
#define BINARY(name, expression)                                                                                       \
  static inline void binary_row_##name(const float *a_data, bool a_scalar, const float *b_data, bool b_scalar,         \
                                       float *y, size_t n) {                                                           \
    const rg_vec a_all = v_set1(a_scalar ? *a_data : 0.0f), b_all = v_set1(b_scalar ? *b_data : 0.0f);                 \
    size_t i = 0;                                                                                                      \
    for (; i + RG_LANES <= n; i += RG_LANES) {                                                                         \
      const rg_vec a = a_scalar ? a_all : v_load(a_data + i), b = b_scalar ? b_all : v_load(b_data + i);               \
      v_store(y + i, (expression));                                                                                    \
    }                                                                                                                  \
    if (i < n) {                                                                                                       \
      const rg_vec a = a_scalar ? a_all : v_load_part(a_data + i, n - i, a_all);                                       \
      const rg_vec b = b_scalar ? b_all : v_load_part(b_data + i, n - i, v_set1(1.0f));                                \
      v_store_n(y + i, (expression), n - i);                                                                           \
    }                                                                                                                  \
  }                                                                                                                    \
  static void binary_##name(const rg_operand *a, const rg_operand *b, float *y, size_t rows, size_t cols) {            \
    for (size_t r = 0; r < rows; r++, y += cols) {                                                                     \
      const float *ar = a->data + r * a->row, *br = b->data + r * b->row;                                              \
      if (a->scalar && b->scalar) /* constant flags: the compiler makes four loops */                                  \
        binary_row_##name(ar, true, br, true, y, cols);                                                                \
      else if (a->scalar)                                                                                              \
        binary_row_##name(ar, true, br, false, y, cols);                                                               \
      else if (b->scalar)                                                                                              \
        binary_row_##name(ar, false, br, true, y, cols);                                                               \
      else                                                                                                             \
        binary_row_##name(ar, false, br, false, y, cols);                                                              \
    }                                                                                                                  \
  }

BINARY(add, v_add(a, b))
BINARY(sub, v_sub(a, b))
BINARY(mul, v_mul(a, b))
BINARY(div, v_div(a, b))
BINARY(min, binary_min_of(a, b))
BINARY(max, binary_max_of(a, b))
BINARY(prelu, binary_prelu_of(a, b))

static void binary(rg_binary op, const rg_operand *a, const rg_operand *b, float *y, size_t rows, size_t cols) {
  static void (*const functions[RG_BINARY_COUNT])(const rg_operand *, const rg_operand *, float *, size_t, size_t) = {
      [RG_BINARY_ADD] = binary_add,     [RG_BINARY_SUB] = binary_sub, [RG_BINARY_MUL] = binary_mul,
      [RG_BINARY_DIV] = binary_div,     [RG_BINARY_MIN] = binary_min, [RG_BINARY_MAX] = binary_max,
      [RG_BINARY_PRELU] = binary_prelu,
  };
  functions[op](a, b, y, rows, cols);
}

static inline rg_mask compare_lanes(rg_compare op, rg_vec a, rg_vec b) {
  switch (op) {
  case RG_COMPARE_EQUAL:
    return v_eq(a, b);
  case RG_COMPARE_LESS:
    return v_lt(a, b);
  case RG_COMPARE_LESS_EQUAL:
    return v_le(a, b);
  case RG_COMPARE_GREATER:
    return v_lt(b, a);
  default:
    return v_le(b, a);
  }
}

static inline void compare_row(rg_compare op, const float *a, bool a_scalar, const float *b, bool b_scalar, uint8_t *y,
                               size_t n) {
  size_t i = 0;
  for (; i + RG_LANES <= n; i += RG_LANES) {
    const rg_vec va = a_scalar ? v_set1(*a) : v_load(a + i), vb = b_scalar ? v_set1(*b) : v_load(b + i);
    vm_store(y + i, compare_lanes(op, va, vb));
  }
  if (i < n) {
    uint8_t tail[RG_LANES];
    const rg_vec zero = v_set1(0.0f);
    const rg_vec va = a_scalar ? v_set1(*a) : v_load_part(a + i, n - i, zero);
    const rg_vec vb = b_scalar ? v_set1(*b) : v_load_part(b + i, n - i, zero);
    vm_store(tail, compare_lanes(op, va, vb));
    memcpy(y + i, tail, n - i);
  }
}

static void compare(rg_compare op, const rg_operand *a, const rg_operand *b, uint8_t *y, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; r++, y += cols)
    compare_row(op, a->data + r * a->row, a->scalar, b->data + r * b->row, b->scalar, y, cols);
}

static void where(const uint8_t *condition, const float *a, bool a_scalar, const float *b, bool b_scalar, float *y,
                  size_t n) {
  size_t i = 0;
  for (; i + RG_LANES <= n; i += RG_LANES) {
    const rg_vec va = a_scalar ? v_set1(*a) : v_load(a + i), vb = b_scalar ? v_set1(*b) : v_load(b + i);
    v_store(y + i, v_select(vm_load(condition + i), va, vb));
  }
  for (; i < n; i++) y[i] = condition[i] ? a[a_scalar ? 0 : i] : b[b_scalar ? 0 : i];
}
