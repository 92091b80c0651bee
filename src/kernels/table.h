/*
 * The table of kernels of one instruction set: one page a CPU, kernels/<isa>/table.c.
 *
 * All are pure functions of their arguments, allocate nothing and have no state. Arrays need no alignment. Reads and
 * writes stay inside what the comments name: tails are masked, not padded.
 */
#ifndef RG_KERNELS_TABLE_H
#define RG_KERNELS_TABLE_H

#include "kernels/kernels.h"
#include "kernels/vector.h"
#include "kernels/winograd.h"

/*
 * One register tile of a matrix product: c[i][j] = clip(sum over s, q of a[s][i][q] * b[s * k + q][j] + bias[j] +
 * residual[i][j]) for i < rows <= mr, j < columns <= nr.
 *
 * The left operand is given by pointers, so that rows of a matrix and pixels under a convolution's window are read
 * where they lie. The right operand is packed in panels of nr columns (kernels/pack.h).
 */
typedef struct rg_gemm_tile {
  size_t rows, columns;
  size_t segments, k;    /* the inner dimension: `segments` runs of `k` elements */
  const float *const *a; /* [segments][mr]: where the run of segment s, row i begins; rows beyond `rows` aren't read */
  const float *b;        /* [segments * k][width]; width nr, or nr / 2 where columns <= nr / 2 */
  float *c;              /* [rows][c_stride] */
  size_t c_stride;
  const float *bias;     /* [columns] or NULL */
  const float *residual; /* [rows][residual_stride] or NULL; may be c */
  size_t residual_stride;
  float low, high; /* bounds of the result; -INFINITY and INFINITY for none. NaN passes */
} rg_gemm_tile;

/* Tiles side by side: `rows` rows in tiles of first.rows (the last may have fewer), whose pointers `a` follow each
 * other, times `columns` columns in panels of nr, which lie `panel_step` elements apart. */
typedef struct rg_gemm_block {
  rg_gemm_tile first; /* its `columns` isn't read */
  size_t rows, columns, panel_step;
} rg_gemm_block;

/* A whole product in one call: c = alpha * a * b + beta * c. */
typedef struct rg_sgemm {
  size_t m, n, k;
  const float *a, *b;
  bool a_transposed, b_transposed; /* a lies as [k][a_row], b as [n][b_row]; otherwise [m][a_row] and [k][b_row] */
  size_t a_row, b_row;
  float alpha, beta;
  float *c; /* [m][n] */
} rg_sgemm;

#if defined(RANGO_CBLAS)
void rg_cblas_sgemm(const rg_sgemm *product);
#define RG_SGEMM rg_cblas_sgemm
#else
#define RG_SGEMM NULL
#endif

/* Neighbouring pixels of a line of a depthwise convolution, all channels: for i < count
 * out[i][c] = clip(sum over r < rows, t < taps of x[r][i * pixel_step + t * tap_step + c] * weights[r * weight_row + t
 * * channels + c] + bias[c] + residual[i][c]). */
typedef struct rg_depthwise_line {
  size_t rows, taps, channels, count;
  const float *const *x; /* [rows]: the window's rows, at the first pixel's first tap; NULL outside the image */
  size_t tap_step, pixel_step;
  const float *weights;
  size_t weight_row;
  const float *bias;     /* [channels] or NULL */
  const float *residual; /* [count][channels] or NULL */
  float *out;            /* [count][channels] */
  float low, high;
} rg_depthwise_line;

/* What work costs on one thread (cpu/costs.c has the model). Rates of multiply-adds, one being two operations. */
typedef struct rg_kernel_costs {
  double gflops;        /* whole panels: nr columns */
  double gflops_half;   /* at most nr / 2 columns */
  double gflops_narrow; /* groups of four columns of gemm_narrow; without it, as gflops_half */
  double gflops_depthwise;
  double gbytes_l2;        /* reading what the second-level cache holds */
  double gbytes_cache;     /* what the last-level cache holds */
  double gbytes_ram;       /* from memory */
  double gbytes_transform; /* Winograd's transforms */
  double tile_ns;          /* of a tile, beside its multiply-adds */
  double narrow_ns;        /* of a row of four dot products of gemm_narrow, the same */
  double pointer_ns;       /* of a pointer to a run of a window */
  double copy_ns;          /* of a run of a window that is copied */
  double overhead_us;      /* of a layer */
} rg_kernel_costs;

struct rg_kernels {
  const char *isa;
  size_t lanes; /* floats in a vector */

  /* ---- matrix products and convolutions ---- */
  size_t mr, nr;      /* the register tile */
  size_t block_bytes; /* left operand of a block of rows: stays in the second-level cache while panels pass */
  void (*gemm)(const rg_gemm_tile *tile);
  void (*gemm_block)(const rg_gemm_block *block);
  void (*sgemm)(const rg_sgemm *product); /* by a BLAS, with threads of its own; NULL in a build without */
  /* At most `narrow` columns, which lie one behind the other, `panel_step` elements apart (rg_pack_is_narrow). */
  void (*gemm_narrow)(const rg_gemm_block *block);
  size_t narrow; /* 0: gemm_narrow is NULL */
  void (*depthwise)(const rg_depthwise_line *line);
  void (*winograd_input)(const rg_winograd_input *in);
  void (*winograd_output)(const rg_winograd_output *out);
  rg_kernel_costs costs;

  /* ---- measuring the machine ---- */
  size_t peak_flops;                           /* of one iteration of `peak` */
  float (*peak)(size_t iterations);            /* multiply-adds in registers alone */
  float (*read)(const float *x, size_t count); /* reads an array as fast as it comes; returns its sum */

  const rg_vector_kernels *vector; /* everything else: kernels/vector.h */
};

extern const rg_kernels rg_kernels_generic;
#if defined(__x86_64__)
extern const rg_kernels rg_kernels_avx2, rg_kernels_avx512;
#elif defined(__aarch64__)
extern const rg_kernels rg_kernels_neon;
#endif

#endif
