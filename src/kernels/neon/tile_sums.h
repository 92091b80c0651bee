/*
 * tile_sums of template_gemm.h for AArch64, which multiplies by one element of a vector: the left operand comes four
 * elements a load. Slots and named variables as there; element l of a quad goes into sum l % parts. A single row takes
 * eight steps at once, with loads of four vectors: the weights' way through the core is what it costs.
 */
#define RG_QUAD_DECLARE(j)                                                                                             \
  rg_vec x##j = v_set1(0.0f), y##j = x##j;                                                                             \
  const float *a##j = NULL;
#define RG_QUAD_POINT(j)                                                                                               \
  if ((j) < slots) a##j = pointers[(j) % rows];
#define RG_QUAD_LOAD(j) const rg_vec left##j = (j) < slots ? v_load(a##j + q) : v_set1(0.0f);
#define RG_QUAD_STEP(j, lane)                                                                                          \
  if ((j) < slots && (j) / rows == (lane) % parts) {                                                                   \
    x##j = vfmaq_laneq_f32(x##j, v_load(b + (lane)*width), left##j, lane);                                             \
    if (vectors > 1) y##j = vfmaq_laneq_f32(y##j, v_load(b + (lane)*width + RG_LANES), left##j, lane);                 \
  }
#define RG_QUAD_0(j)    RG_QUAD_STEP(j, 0)
#define RG_QUAD_1(j)    RG_QUAD_STEP(j, 1)
#define RG_QUAD_2(j)    RG_QUAD_STEP(j, 2)
#define RG_QUAD_3(j)    RG_QUAD_STEP(j, 3)
#define RG_QUAD_LAST(j) /* what is left of k: into the first sum */                                                    \
  if ((j) < rows) {                                                                                                    \
    const rg_vec left = vld1q_dup_f32(a##j + q);                                                                       \
    x##j = v_fma(left, v_load(b), x##j);                                                                               \
    if (vectors > 1) y##j = v_fma(left, v_load(b + RG_LANES), y##j);                                                   \
  }
#define RG_QUAD_KEEP(j)                                                                                                \
  if ((j) < slots) {                                                                                                   \
    acc[j][0] = x##j;                                                                                                  \
    acc[j][1] = y##j;                                                                                                  \
  }
/* A single row: step `step` of eight into sum step % 4; w[i] are vectors 4 i ... 4 i + 3 of the eight steps' panel
 * rows. */
#define RG_ROW_STEP(j, step, left)                                                                                     \
  if ((j) < 4) {                                                                                                       \
    if ((step)*vectors % 4 == 0) w[(step)*vectors / 4] = vld1q_f32_x4(b + (step)*width);                               \
    x##j = vfmaq_laneq_f32(x##j, w[(step)*vectors / 4].val[(step)*vectors % 4], left, (j) % 4);                        \
    if (vectors > 1) y##j = vfmaq_laneq_f32(y##j, w[(step) / 2].val[(step)*2 % 4 + 1], left, (j) % 4);                 \
  }
#define RG_ROW_LOW(j)  RG_ROW_STEP(j, (j) % 4, low)
#define RG_ROW_HIGH(j) RG_ROW_STEP(j, (j) % 4 + 4, high)

/* acc[row][vector] = a * b, over `sums`, at most 4, interleaved parts of k. */
RG_INLINE void tile_sums(const rg_gemm_tile *t, const size_t rows, const size_t vectors, const size_t sums,
                         rg_vec acc[RG_SLOTS][2]) {
  const size_t width = vectors * RG_LANES, parts = sums < 4 ? sums : 4, slots = rows * parts, k = t->k;
  const float *b = t->b;
  const float *const *pointers = t->a;
  RG_EACH_SLOT(RG_QUAD_DECLARE)
  for (size_t s = 0; s < t->segments; s++, pointers += RG_MR) {
    RG_EACH_SLOT(RG_QUAD_POINT)
    size_t q = 0;
    for (; rows == 1 && q + 8 <= k; q += 8, b += 8 * width) {
      const rg_vec low = v_load(a0 + q), high = v_load(a0 + q + 4);
      float32x4x4_t w[4];
      RG_EACH_SLOT(RG_ROW_LOW)
      RG_EACH_SLOT(RG_ROW_HIGH)
    }
    for (; q + 4 <= k; q += 4, b += 4 * width) {
      RG_EACH_SLOT(RG_QUAD_LOAD)
      RG_EACH_SLOT(RG_QUAD_0)
      RG_EACH_SLOT(RG_QUAD_1)
      RG_EACH_SLOT(RG_QUAD_2)
      RG_EACH_SLOT(RG_QUAD_3)
    }
    for (; q < k; q++, b += width) {
      RG_EACH_SLOT(RG_QUAD_LAST)
    }
  }
  RG_EACH_SLOT(RG_QUAD_KEEP)
  RG_UNROLL
  for (size_t j = rows; j < slots; j++) {
    acc[j % rows][0] = v_add(acc[j % rows][0], acc[j][0]);
    acc[j % rows][1] = v_add(acc[j % rows][1], acc[j][1]);
  }
}
