/*
 * 3 x 3 and 5 x 5 convolutions of stride 1 by Winograd's method (kernels/winograd.h): a matrix product for each point
 * of a window over tiles of m x m pixels, in place of one for each tap over pixels. 3 x 3: 2.25 (m = 2), 4 (m = 4)
 * or 5.06 (m = 6) times fewer multiply-adds; 5 x 5: 2.8 (m = 2) or 6.25 (m = 4). 3 x 1, 1 x 3, 5 x 1 and 1 x 5 on lines
 * of m pixels: the square roots of these. The price: transforms of input and output, and
 * weights that are as many times as large as a window has more points than the kernel taps.
 */
#ifndef RG_CPU_WINOGRAD_H
#define RG_CPU_WINOGRAD_H

#include "cpu/conv.h"

/* Tiles of a block: their transformed windows take half of the second-level cache, but there are at least so many that
 * weights, read once a block, cost little beside the multiply-adds. */
#define RG_WINOGRAD_BLOCK_MIN 32
/* Whether threads divide the output channels, not the tiles: each then transforms all windows but reads its own weights
 * alone. A window's transform takes about as long as reading one channel's weights from memory, or four channels' where
 * the second-level cache could hold all (`few`); and tiles should fill the rows of register tiles. */
static inline bool rg_winograd_divides_channels(double tiles, double out, bool few, double threads, double mr) {
  return out > tiles && (!few || out > 4.0 * tiles || tiles < mr * threads);
}

typedef struct rg_winograd rg_winograd;

/* *out becomes NULL where the method doesn't apply (more than one group, not channels-last, weight not constant) or the
 * cost table says that it doesn't win; otherwise its plan, in the prepared node's arena, weights packed. */
rango_status rg_winograd_prepare(rg_prepare *prepare, const rg_conv_parts *parts, const rg_winograd **out);
size_t rg_winograd_scratch_bytes(const rg_winograd *winograd);
/* operands' x, bias, residual and y, all channels-last. `scratch`: rg_winograd_scratch_bytes. */
void rg_winograd_run(const rg_winograd *winograd, const rg_conv_operands *operands, rg_activation activation,
                     rango_threads *threads, void *scratch);

/* An image of two pixels a side in a border of zeros, r = 3, m = 2: its convolution multiplies by the Toeplitz matrix
 * ((w1, w2), (w0, w1)), for which three products an axis do, w1 (x0 + x1), (w2 - w1) x1 and (w0 - w1) x0, as in
 * Karatsuba and Ofman 1962. They are points 0, 1 and 3 of the four; point 2 is zero. */
static inline bool rg_winograd_needs(bool bordered, size_t point) {
  return !bordered || (point % 4 != 2 && point / 4 != 2);
}

/* The weights of one convolution, transformed in double precision. `argument`: an rg_winograd_weights. */
typedef struct rg_winograd_weights {
  const rg_kernels *kernels;
  size_t m, r; /* pixels of a tile's side, taps of the kernel's */
  bool line;   /* r x 1 or 1 x r */
  bool bordered;
  size_t matrices; /* points that rg_winograd_needs */
  size_t in, out;  /* channels */
} rg_winograd_weights;
/* `to`: for each panel of output channels the matrices of the points, one after the other, each packed as
 * that panel of an in x out matrix (kernels/pack.h). weight: [out][in][r][r] or [r], at any address. */
rango_status rg_winograd_pack(void *to, const rango_tensor *weight, const void *argument);

#endif
