/* Weights that no form is tried on, and why. */
#ifndef RG_COMPRESS_LEFT_ALONE_H
#define RG_COMPRESS_LEFT_ALONE_H

#include "compress/compress.h"

typedef struct rg_left_alone {
  rango_left_alone *items; /* the caller's to free; their texts are in the arena */
  size_t count, capacity;
} rg_left_alone;

/* Constant weights of layers in the canonical model, bodies included, that aren't sites. */
rango_status rg_left_alone_find(const rango_model *model, const rg_sites *sites, rg_arena *arena, rg_left_alone *out);

#endif
