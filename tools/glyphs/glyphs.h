/*
 * Glyphs: drawn characters on 64 x 64 grey images, from a known number of continuous factors.
 *
 * Every image is a smooth function of its class and RG_GLYPH_FACTORS factors, plus pixel noise. Without noise the
 * images of a class therefore lie on a manifold of at most RG_GLYPH_FACTORS dimensions (fewer for a class with a
 * symmetry, such as the circle's under rotation): the truth that estimates of intrinsic dimension are held against.
 */
#ifndef RG_TOOLS_GLYPHS_H
#define RG_TOOLS_GLYPHS_H

#include <stdint.h>

#include "base/random.h"

#define RG_GLYPH_SIZE    64
#define RG_GLYPH_CLASSES 16
#define RG_GLYPH_FACTORS 7

typedef struct rg_glyph {
  int label;       /* 0 … RG_GLYPH_CLASSES - 1 */
  double shift_x;  /* pixels */
  double shift_y;  /* pixels */
  double rotation; /* radians */
  double scale;    /* of the glyph's nominal height of 40 pixels */
  double slant;    /* horizontal shear */
  double stroke;   /* half the stroke's width, pixels */
  double contrast; /* ink minus paper, share of full range */
  double noise;    /* standard deviation of the pixels' noise, share of full range; no factor of the manifold */
} rg_glyph;

/* The class's character, such as 'Q'. */
char rg_glyph_character(int label);
/* A class and factors drawn uniformly from their ranges; noise included. */
void rg_glyph_draw(rg_random *random, rg_glyph *out);
/* Renders into image[RG_GLYPH_SIZE][RG_GLYPH_SIZE], 0 (paper) to 1; `random` makes the noise (may be NULL when it is
 * 0). */
void rg_glyph_render(const rg_glyph *glyph, rg_random *random, float *image);

#endif
