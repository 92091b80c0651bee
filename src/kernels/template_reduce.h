/* Reductions over rows and columns, and softmax. */

#define SUM_BLOCK 1024 /* elements added in float32 before the partial sum goes into a double */

static inline float reduce_neutral(rg_reduce op) {
  return op == RG_REDUCE_MAX ? -__builtin_inff() : op == RG_REDUCE_MIN ? __builtin_inff() : 0.0f;
}

static inline rg_vec reduce_step(rg_reduce op, rg_vec sum, rg_vec x) {
  switch (op) {
  case RG_REDUCE_MAX:
    return v_select(v_is_nan(sum), sum, v_max(sum, x));
  case RG_REDUCE_MIN:
    return v_select(v_is_nan(sum), sum, v_min(sum, x));
  case RG_REDUCE_SUM_SQUARE:
    return v_fma(x, x, sum);
  case RG_REDUCE_SUM_ABS:
    return v_add(sum, v_abs(x));
  default:
    return v_add(sum, x);
  }
}

static inline float reduce_lanes(rg_reduce op, rg_vec x) {
  if (op == RG_REDUCE_SUM) return v_sum(x);
  float lanes[RG_LANES];
  v_store(lanes, x);
  float best = lanes[0];
  for (size_t i = 1; i < RG_LANES; i++) {
    const bool better = op == RG_REDUCE_MAX ? lanes[i] > best : lanes[i] < best;
    if (better || lanes[i] != lanes[i]) best = lanes[i]; /* once NaN, no comparison is true again */
  }
  return best;
}

static inline float reduce_block(rg_reduce op, const float *x, size_t n) {
  const rg_vec neutral = v_set1(reduce_neutral(op));
  rg_vec s0 = neutral, s1 = neutral, s2 = neutral, s3 = neutral;
  size_t i = 0;
  for (; i + VECTORS(4) <= n; i += VECTORS(4)) {
    s0 = reduce_step(op, s0, v_load(x + i));
    s1 = reduce_step(op, s1, v_load(x + i + RG_LANES));
    s2 = reduce_step(op, s2, v_load(x + i + VECTORS(2)));
    s3 = reduce_step(op, s3, v_load(x + i + VECTORS(3)));
  }
  for (; i + RG_LANES <= n; i += RG_LANES) s0 = reduce_step(op, s0, v_load(x + i));
  if (i < n) s1 = reduce_step(op, s1, load_some(x + i, n - i, neutral));
  const rg_reduce combine = op == RG_REDUCE_MAX || op == RG_REDUCE_MIN ? op : RG_REDUCE_SUM;
  return reduce_lanes(combine, reduce_step(combine, reduce_step(combine, s0, s1), reduce_step(combine, s2, s3)));
}

/* Each operation's loop is compiled once. */
#define REDUCE_BLOCK(name, op)                                                                                         \
  static __attribute__((noinline)) float name(const float *x, size_t n) { return reduce_block(op, x, n); }
REDUCE_BLOCK(block_sum, RG_REDUCE_SUM)
REDUCE_BLOCK(block_max, RG_REDUCE_MAX)
REDUCE_BLOCK(block_min, RG_REDUCE_MIN)
REDUCE_BLOCK(block_sum_square, RG_REDUCE_SUM_SQUARE)
REDUCE_BLOCK(block_sum_abs, RG_REDUCE_SUM_ABS)

static double reduce_row(rg_reduce op, const float *x, size_t n) {
  static float (*const blocks[RG_REDUCE_COUNT])(const float *, size_t) = {[RG_REDUCE_SUM] = block_sum,
                                                                          [RG_REDUCE_MAX] = block_max,
                                                                          [RG_REDUCE_MIN] = block_min,
                                                                          [RG_REDUCE_SUM_SQUARE] = block_sum_square,
                                                                          [RG_REDUCE_SUM_ABS] = block_sum_abs};
  if (op == RG_REDUCE_MAX || op == RG_REDUCE_MIN || n <= SUM_BLOCK) return (double)blocks[op](x, n);
  double sum = 0;
  for (size_t i = 0; i < n; i += SUM_BLOCK) sum += (double)blocks[op](x + i, n - i < SUM_BLOCK ? n - i : SUM_BLOCK);
  return sum;
}

static void reduce_rows(rg_reduce op, const float *x, float *y, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; r++) y[r] = (float)reduce_row(op, x + r * cols, cols);
}

/* `width` vectors of columns at a time, in registers down all rows; sums in blocks of rows. */
static inline void reduce_strip(rg_reduce op, const float *x, size_t stride, float *y, size_t rows, size_t cols) {
  const rg_vec neutral = v_set1(reduce_neutral(op));
  const rg_reduce combine = op == RG_REDUCE_MAX || op == RG_REDUCE_MIN ? op : RG_REDUCE_SUM;
  size_t c = 0;
  for (; c + VECTORS(4) <= cols; c += VECTORS(4)) {
    rg_vec total[4] = {neutral, neutral, neutral, neutral};
    for (size_t r0 = 0; r0 < rows; r0 += SUM_BLOCK) {
      const size_t r1 = rows - r0 < SUM_BLOCK ? rows : r0 + SUM_BLOCK;
      rg_vec s[4] = {neutral, neutral, neutral, neutral};
      for (size_t r = r0; r < r1; r++)
        for (int v = 0; v < 4; v++) s[v] = reduce_step(op, s[v], v_load(x + r * stride + c + VECTORS(v)));
      for (int v = 0; v < 4; v++) total[v] = reduce_step(combine, total[v], s[v]);
    }
    for (int v = 0; v < 4; v++) v_store(y + c + VECTORS(v), total[v]);
  }
  for (; c < cols; c += RG_LANES) {
    const size_t n = cols - c < RG_LANES ? cols - c : RG_LANES;
    rg_vec total = neutral;
    for (size_t r0 = 0; r0 < rows; r0 += SUM_BLOCK) {
      const size_t r1 = rows - r0 < SUM_BLOCK ? rows : r0 + SUM_BLOCK;
      rg_vec s = neutral;
      for (size_t r = r0; r < r1; r++) s = reduce_step(op, s, load_some(x + r * stride + c, n, neutral));
      total = reduce_step(combine, total, s);
    }
    store_some(y + c, total, n);
  }
}

static void reduce_columns(rg_reduce op, const float *x, size_t stride, float *y, size_t rows, size_t cols) {
  switch (op) {
  case RG_REDUCE_MAX:
    reduce_strip(RG_REDUCE_MAX, x, stride, y, rows, cols);
    break;
  case RG_REDUCE_MIN:
    reduce_strip(RG_REDUCE_MIN, x, stride, y, rows, cols);
    break;
  case RG_REDUCE_SUM_SQUARE:
    reduce_strip(RG_REDUCE_SUM_SQUARE, x, stride, y, rows, cols);
    break;
  case RG_REDUCE_SUM_ABS:
    reduce_strip(RG_REDUCE_SUM_ABS, x, stride, y, rows, cols);
    break;
  default:
    reduce_strip(RG_REDUCE_SUM, x, stride, y, rows, cols);
    break;
  }
}

/* y = exp(x - shift), written where y is not NULL; returns the sum. */
static inline double exp_row(const float *x, float shift, float *y, size_t n) {
  const rg_vec minus = v_set1(-shift), zero = v_set1(0.0f);
  double sum = 0;
  for (size_t begin = 0; begin < n; begin += SUM_BLOCK) {
    const size_t end = n - begin < SUM_BLOCK ? n : begin + SUM_BLOCK;
    rg_vec s = zero;
    size_t i = begin;
    for (; i + RG_LANES <= end; i += RG_LANES) {
      const rg_vec e = v_exp_share(v_add(v_load(x + i), minus));
      if (y) v_store(y + i, e);
      s = v_add(s, e);
    }
    if (i < end) {
      const rg_vec e = v_exp_share(v_add(load_some(x + i, end - i, v_set1(-__builtin_inff())), minus));
      if (y) store_some(y + i, e, end - i);
      s = v_add(s, e);
    }
    sum += v_sum(s);
  }
  return sum;
}

/* The largest element; a NaN may be lost: it will be seen in the sum. */
static inline float largest_of(const float *x, size_t n) {
  const rg_vec low = v_set1(-__builtin_inff());
  rg_vec a = low, b = low;
  size_t i = 0;
  for (; i + VECTORS(2) <= n; i += VECTORS(2)) {
    a = v_max(a, v_load(x + i));
    b = v_max(b, v_load(x + i + RG_LANES));
  }
  for (; i < n; i += RG_LANES) a = v_max(a, load_some(x + i, n - i, low));
  return v_largest(v_max(a, b));
}

static void softmax_columns(const float *x, float *y, size_t stride, size_t rows, size_t cols, bool logarithm) {
  const rg_vec zero = v_set1(0.0f);
  for (size_t c = 0; c < cols; c += RG_LANES) {
    const size_t n = cols - c < RG_LANES ? cols - c : RG_LANES;
    rg_vec largest = v_set1(-__builtin_inff()), sum = zero;
    for (size_t r = 0; r < rows; r++) largest = v_max(largest, load_some(x + r * stride + c, n, zero));
    for (size_t r = 0; r < rows; r++) {
      const rg_vec e = v_exp_share(v_sub(load_some(x + r * stride + c, n, zero), largest));
      if (!logarithm) store_some(y + r * stride + c, e, n);
      sum = v_add(sum, e);
    }
    const rg_vec scale = logarithm ? v_log(sum) : v_div(v_set1(1.0f), sum);
    for (size_t r = 0; r < rows; r++) {
      const rg_vec v = load_some((logarithm ? x : y) + r * stride + c, n, zero);
      store_some(y + r * stride + c, logarithm ? v_sub(v_sub(v, largest), scale) : v_mul(v, scale), n);
    }
  }
}

#define NARROW      16 /* rows of at most so many columns are turned, so that lanes are rows */
#define NARROW_ROWS 64

static void softmax_narrow(const float *x, float *y, size_t rows, size_t cols, bool logarithm) {
  float turned[NARROW * NARROW_ROWS];
  for (size_t r = 0; r < rows; r += NARROW_ROWS) {
    const size_t n = rows - r < NARROW_ROWS ? rows - r : NARROW_ROWS;
    transpose(x + r * cols, cols, turned, NARROW_ROWS, n, cols);
    softmax_columns(turned, turned, NARROW_ROWS, cols, n, logarithm);
    transpose(turned, NARROW_ROWS, y + r * cols, cols, cols, n);
  }
}

static void softmax_rows(const float *x, float *y, size_t rows, size_t cols, bool logarithm) {
  if (cols <= NARROW && rows > 1) {
    softmax_narrow(x, y, rows, cols, logarithm);
    return;
  }
  for (size_t r = 0; r < rows; r++, x += cols, y += cols) {
    const float largest = largest_of(x, cols);
    const double sum = exp_row(x, largest, logarithm ? NULL : y, cols);
    if (logarithm) { /* x - largest first: exact where they are close */
      scale_line(1.0f, -largest, x, y, cols);
      scale_line(1.0f, -(float)log(sum), y, y, cols);
    } else {
      scale_line((float)(1.0 / sum), 0.0f, y, y, cols);
    }
  }
}

/* x += mask; returns the largest, which NaN doesn't reach. */
static inline float masked_largest(float *x, const float *mask, size_t n) {
  rg_vec largest = v_set1(-__builtin_inff());
  for (size_t i = 0; i < n; i += RG_LANES) {
    const rg_vec sum = v_add(load_some(x + i, n - i, largest), load_zero(mask + i, n - i));
    store_some(x + i, sum, n - i);
    largest = v_max(largest, sum);
  }
  return v_largest(largest);
}

static void attention_weights(const float *mask, size_t mask_row, float *x, size_t stride, size_t rows, size_t cols,
                              float *sums) {
  for (size_t r = 0; r < rows; r++, x += stride) {
    const float largest = mask ? masked_largest(x, mask + r * mask_row, cols) : largest_of(x, cols);
    sums[r] = (float)exp_row(x, largest, x, cols);
  }
}
