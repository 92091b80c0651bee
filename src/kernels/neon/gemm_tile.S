/*
 * The hot loops of matrix products on AArch64. Their readable twin is tile_sums.h under template_gemm.h: same sums in the
 * same order, same bits.
 *
 *   void rg_neon_gemm_tile(const rg_gemm_tile *tile)    8 rows, 8 columns: every large product
 *   void rg_neon_gemm_row(const rg_gemm_tile *tile)     1 row, 8 columns: dense layers at batch 1
 *
 * The tile:
 *
 * 8 steps of k are 128 FMLA, 8 loads of pairs for the left operand (a row's 8 elements each), 8 for the panel and 2
 * instructions of loop: 1.14 an FMLA. 16 sums leave 16 registers, too few for two quads of all eight rows. So the lower
 * four rows run half a turn behind: when the upper ones begin a pair of quads, the lower ones are in the middle of
 * theirs, and a pair is loaded into registers that have just been used for the last time. What is loaded is needed 6 or more
 * FMLA later, so that cores that run in order don't wait either.
 *
 * The row: four sums for each half of the panel's columns, element q of k into sum q % 4. What it costs is the weights' way
 * through the core, so they come four vectors a load: 16 steps are 32 FMLA, 8 loads of weights, 2 of the row and 2 instructions
 * of loop, 1.38 an FMLA.
 *
 * x18 belongs to the platform; of v8 ... v15 the lower halves are the caller's.
 */
#if defined(__APPLE__)
#define SYMBOL(name) _##name
#else
#define SYMBOL(name) name
#endif

.macro BEGIN name
  .globl \name
#if defined(__ELF__)
  .hidden \name
  .type \name, %function
#else
  .private_extern \name
#endif
  .p2align 6
\name:
  .cfi_startproc
.endm

.macro END name
  .cfi_endproc
#if defined(__ELF__)
  .size \name, . - \name
#endif
.endm

/* Offsets in rg_gemm_tile; gemm.c holds them against the structure. */
#define SEGMENTS 16
#define A        32
#define C        48
#define BIAS     64
#define RESIDUAL 72
#define LOW      88

/* x0 the tile, x1 pointers of the left operand, x2 the panel, x3 segments left, x4 k, x5 steps left, x6 ... x13 rows.
 * v0 ... v15 the sums, two for each row; v16 ... v19 two rows of the panel; v20 ... v31 elements of the left operand. */

/* One row's part of a step: element `lane` of v<left> times the panel's row in v<b0>, v<b1>. */
.macro ROW sum0, sum1, left, lane, b0, b1
  fmla v\sum0\().4s, v\b0\().4s, v\left\().s[\lane]
  fmla v\sum1\().4s, v\b1\().4s, v\left\().s[\lane]
.endm

/* One step; r0 ... r7 hold the rows' elements. */
.macro STEP lane, b0, b1, r0, r1, r2, r3, r4, r5, r6, r7
  ROW 0, 1, \r0, \lane, \b0, \b1
  ROW 2, 3, \r1, \lane, \b0, \b1
  ROW 4, 5, \r2, \lane, \b0, \b1
  ROW 6, 7, \r3, \lane, \b0, \b1
  ROW 8, 9, \r4, \lane, \b0, \b1
  ROW 10, 11, \r5, \lane, \b0, \b1
  ROW 12, 13, \r6, \lane, \b0, \b1
  ROW 14, 15, \r7, \lane, \b0, \b1
.endm

/* The first three steps of a quad. */
.macro STEPS_012 r0, r1, r2, r3, r4, r5, r6, r7
  STEP 0, 16, 17, \r0, \r1, \r2, \r3, \r4, \r5, \r6, \r7
  ldp q16, q17, [x2], #32
  STEP 1, 18, 19, \r0, \r1, \r2, \r3, \r4, \r5, \r6, \r7
  ldp q18, q19, [x2], #32
  STEP 2, 16, 17, \r0, \r1, \r2, \r3, \r4, \r5, \r6, \r7
.endm

/* The last step of the upper rows' first quad. Meanwhile the lower rows' next elements arrive: a pair of quads, or only one
 * where no more of k is left. */
.macro STEP_3_UPPER pair
  ldp q16, q17, [x2], #32
  ROW 0, 1, 20, 3, 18, 19
  ROW 2, 3, 22, 3, 18, 19
  ROW 4, 5, 24, 3, 18, 19
  ROW 6, 7, 26, 3, 18, 19
  ROW 8, 9, 28, 3, 18, 19
  .if \pair
  ldp q20, q28, [x10], #32
  .else
  ldr q20, [x10], #16
  .endif
  ROW 10, 11, 29, 3, 18, 19
  .if \pair
  ldp q22, q29, [x11], #32
  .else
  ldr q22, [x11], #16
  .endif
  ROW 12, 13, 30, 3, 18, 19
  .if \pair
  ldp q24, q30, [x12], #32
  .else
  ldr q24, [x12], #16
  .endif
  ROW 14, 15, 31, 3, 18, 19
  .if \pair
  ldp q26, q31, [x13], #32
  .else
  ldr q26, [x13], #16
  .endif
  ldp q18, q19, [x2], #32
.endm

/* The last step of the upper rows' second quad; their next pairs arrive. */
.macro STEP_3_LOWER
  ldp q16, q17, [x2], #32
  ROW 0, 1, 21, 3, 18, 19
  ROW 2, 3, 23, 3, 18, 19
  ROW 4, 5, 25, 3, 18, 19
  ROW 6, 7, 27, 3, 18, 19
  ROW 8, 9, 20, 3, 18, 19
  ldp q20, q21, [x6], #32
  ROW 10, 11, 22, 3, 18, 19
  ldp q22, q23, [x7], #32
  ROW 12, 13, 24, 3, 18, 19
  ldp q24, q25, [x8], #32
  ROW 14, 15, 26, 3, 18, 19
  ldp q26, q27, [x9], #32
  ldp q18, q19, [x2], #32
.endm

/* Two sums of a row: x15 the residual's row, x14 the result's, x16 bytes from one to the next; bounds in v16, v17. */
.macro RESIDUAL_ROW sum0, sum1
  ldp q18, q19, [x15]
  add x15, x15, x16
  fadd v\sum0\().4s, v\sum0\().4s, v18.4s
  fadd v\sum1\().4s, v\sum1\().4s, v19.4s
.endm
.macro STORE_ROW sum0, sum1
  fmax v\sum0\().4s, v\sum0\().4s, v16.4s
  fmax v\sum1\().4s, v\sum1\().4s, v16.4s
  fmin v\sum0\().4s, v\sum0\().4s, v17.4s
  fmin v\sum1\().4s, v\sum1\().4s, v17.4s
  stp q\sum0, q\sum1, [x14]
  add x14, x14, x16
.endm

  .text

BEGIN SYMBOL(rg_neon_gemm_tile)
  stp d8, d9, [sp, #-64]!
  .cfi_def_cfa_offset 64
  stp d10, d11, [sp, #16]
  stp d12, d13, [sp, #32]
  stp d14, d15, [sp, #48]
  ldp x3, x4, [x0, #SEGMENTS]
  ldp x1, x2, [x0, #A]
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  movi v\i\().4s, #0
  .endr
  cbz x3, 9f
  cbz x4, 9f

1: /* a segment */
  ldp x6, x7, [x1], #16
  ldp x8, x9, [x1], #16
  ldp x10, x11, [x1], #16
  ldp x12, x13, [x1], #16
  subs x5, x4, #8
  b.lo 4f
  ldp q16, q17, [x2], #32
  ldp q18, q19, [x2], #32
  ldp q20, q21, [x6], #32
  ldp q22, q23, [x7], #32
  ldp q24, q25, [x8], #32
  ldp q26, q27, [x9], #32
  ldr q28, [x10], #16
  ldr q29, [x11], #16
  ldr q30, [x12], #16
  ldr q31, [x13], #16
  subs x5, x5, #8
  b.lo 3f

  .p2align 5
2: /* 8 steps, and at least 8 to follow */
  STEPS_012 20, 22, 24, 26, 28, 29, 30, 31
  STEP_3_UPPER 1
  STEPS_012 21, 23, 25, 27, 20, 22, 24, 26
  STEP_3_LOWER
  subs x5, x5, #8
  b.hs 2b

3: /* the last 8 steps: nothing is loaded that isn't there */
  STEPS_012 20, 22, 24, 26, 28, 29, 30, 31
  STEP_3_UPPER 0
  STEPS_012 21, 23, 25, 27, 20, 22, 24, 26
  STEP 3, 18, 19, 21, 23, 25, 27, 20, 22, 24, 26

4: /* x5 + 8 steps are left, 0 ... 7 */
  adds x5, x5, #4
  b.lt 5f
  ldp q16, q17, [x2], #32
  ldp q18, q19, [x2], #32
  ldr q20, [x6], #16
  ldr q21, [x7], #16
  ldr q22, [x8], #16
  ldr q23, [x9], #16
  ldr q24, [x10], #16
  ldr q25, [x11], #16
  ldr q26, [x12], #16
  ldr q27, [x13], #16
  STEPS_012 20, 21, 22, 23, 24, 25, 26, 27
  STEP 3, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
  sub x5, x5, #4
5: /* x5 + 4 steps are left, 0 ... 3 */
  adds x5, x5, #4
  b.eq 7f
6:
  ldp q16, q17, [x2], #32
  ldr s20, [x6], #4
  ldr s21, [x7], #4
  ldr s22, [x8], #4
  ldr s23, [x9], #4
  ldr s24, [x10], #4
  ldr s25, [x11], #4
  ldr s26, [x12], #4
  ldr s27, [x13], #4
  STEP 0, 16, 17, 20, 21, 22, 23, 24, 25, 26, 27
  subs x5, x5, #1
  b.ne 6b
7:
  subs x3, x3, #1
  b.ne 1b

9: /* bias, residual, bounds */
  ldp x14, x15, [x0, #BIAS]
  cbz x14, 10f
  ldp q16, q17, [x14]
  .irp i, 0, 2, 4, 6, 8, 10, 12, 14
  fadd v\i\().4s, v\i\().4s, v16.4s
  .endr
  .irp i, 1, 3, 5, 7, 9, 11, 13, 15
  fadd v\i\().4s, v\i\().4s, v17.4s
  .endr
10:
  cbz x15, 11f
  ldr x16, [x0, #RESIDUAL + 8]
  lsl x16, x16, #2
  RESIDUAL_ROW 0, 1
  RESIDUAL_ROW 2, 3
  RESIDUAL_ROW 4, 5
  RESIDUAL_ROW 6, 7
  RESIDUAL_ROW 8, 9
  RESIDUAL_ROW 10, 11
  RESIDUAL_ROW 12, 13
  RESIDUAL_ROW 14, 15
11:
  add x17, x0, #LOW
  ld1r {v16.4s}, [x17], #4
  ld1r {v17.4s}, [x17]
  ldp x14, x16, [x0, #C]
  lsl x16, x16, #2
  STORE_ROW 0, 1
  STORE_ROW 2, 3
  STORE_ROW 4, 5
  STORE_ROW 6, 7
  STORE_ROW 8, 9
  STORE_ROW 10, 11
  STORE_ROW 12, 13
  STORE_ROW 14, 15
  ldp d10, d11, [sp, #16]
  ldp d12, d13, [sp, #32]
  ldp d14, d15, [sp, #48]
  ldp d8, d9, [sp], #64
  .cfi_def_cfa_offset 0
  ret
END SYMBOL(rg_neon_gemm_tile)

/* x0 the tile, x1 pointers of the left operand, x2 the panel, x3 segments left, x4 k, x5 steps left, x6 the row.
 * v0 ... v3 sums of columns 0 ... 3, v4 ... v7 of 4 ... 7; v16 ... v19 elements of the row; v20 ... v31 rows of the panel. */

/* Two steps: elements `lane` and `lane` + 1 of v<left>, panel rows in v<b0>, v<b1> and v<b2>, v<b3>. */
.macro ROW_STEPS sum0, sum1, sum4, sum5, left, lane0, lane1, b0, b1, b2, b3
  fmla v\sum0\().4s, v\b0\().4s, v\left\().s[\lane0]
  fmla v\sum4\().4s, v\b1\().4s, v\left\().s[\lane0]
  fmla v\sum1\().4s, v\b2\().4s, v\left\().s[\lane1]
  fmla v\sum5\().4s, v\b3\().4s, v\left\().s[\lane1]
.endm
.macro ROW_01 left, b0, b1, b2, b3
  ROW_STEPS 0, 1, 4, 5, \left, 0, 1, \b0, \b1, \b2, \b3
.endm
.macro ROW_23 left, b0, b1, b2, b3
  ROW_STEPS 2, 3, 6, 7, \left, 2, 3, \b0, \b1, \b2, \b3
.endm

BEGIN SYMBOL(rg_neon_gemm_row)
  ldp x3, x4, [x0, #SEGMENTS]
  ldp x1, x2, [x0, #A]
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7
  movi v\i\().4s, #0
  .endr
  cbz x3, 9f
  cbz x4, 9f

1: /* a segment */
  ldr x6, [x1], #64
  subs x5, x4, #16
  b.lo 3f

  .p2align 5
2: /* 16 steps */
  ldp q16, q17, [x6], #32
  ld1 {v20.4s, v21.4s, v22.4s, v23.4s}, [x2], #64
  ld1 {v24.4s, v25.4s, v26.4s, v27.4s}, [x2], #64
  ld1 {v28.4s, v29.4s, v30.4s, v31.4s}, [x2], #64
  ROW_01 16, 20, 21, 22, 23
  ld1 {v20.4s, v21.4s, v22.4s, v23.4s}, [x2], #64
  ROW_23 16, 24, 25, 26, 27
  ld1 {v24.4s, v25.4s, v26.4s, v27.4s}, [x2], #64
  ldp q18, q19, [x6], #32
  ROW_01 17, 28, 29, 30, 31
  ld1 {v28.4s, v29.4s, v30.4s, v31.4s}, [x2], #64
  ROW_23 17, 20, 21, 22, 23
  ld1 {v20.4s, v21.4s, v22.4s, v23.4s}, [x2], #64
  ROW_01 18, 24, 25, 26, 27
  ld1 {v24.4s, v25.4s, v26.4s, v27.4s}, [x2], #64
  ROW_23 18, 28, 29, 30, 31
  ROW_01 19, 20, 21, 22, 23
  ROW_23 19, 24, 25, 26, 27
  subs x5, x5, #16
  b.hs 2b

3: /* x5 + 16 steps are left, 0 ... 15 */
  adds x5, x5, #12
  b.lt 5f
4: /* x5 + 4 steps are left, 4 or more */
  ldr q16, [x6], #16
  ld1 {v20.4s, v21.4s, v22.4s, v23.4s}, [x2], #64
  ld1 {v24.4s, v25.4s, v26.4s, v27.4s}, [x2], #64
  ROW_01 16, 20, 21, 22, 23
  ROW_23 16, 24, 25, 26, 27
  subs x5, x5, #4
  b.ge 4b
5: /* x5 + 4 steps are left, 0 ... 3 */
  adds x5, x5, #4
  b.eq 7f
6:
  ldp q20, q21, [x2], #32
  ldr s16, [x6], #4
  fmla v0.4s, v20.4s, v16.s[0]
  fmla v4.4s, v21.4s, v16.s[0]
  subs x5, x5, #1
  b.ne 6b
7:
  subs x3, x3, #1
  b.ne 1b

9: /* the sums of each half, bias, residual, bounds */
  .irp i, 1, 2, 3
  fadd v0.4s, v0.4s, v\i\().4s
  .endr
  .irp i, 5, 6, 7
  fadd v4.4s, v4.4s, v\i\().4s
  .endr
  ldp x14, x15, [x0, #BIAS]
  cbz x14, 10f
  ldp q16, q17, [x14]
  fadd v0.4s, v0.4s, v16.4s
  fadd v4.4s, v4.4s, v17.4s
10:
  cbz x15, 11f
  RESIDUAL_ROW 0, 4
11:
  add x17, x0, #LOW
  ld1r {v16.4s}, [x17], #4
  ld1r {v17.4s}, [x17]
  ldr x14, [x0, #C]
  STORE_ROW 0, 4
  ret
END SYMBOL(rg_neon_gemm_row)

#if defined(__ELF__)
  .section .note.GNU-stack, "", %progbits
#endif
