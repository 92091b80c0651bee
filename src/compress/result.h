/* What rango_compress hands back. */
#ifndef RG_COMPRESS_RESULT_H
#define RG_COMPRESS_RESULT_H

#include "compress/job.h"
#include "compress/left_alone.h"
#include "compress/portrait.h"

struct rango_compression {
  rg_arena *arena;
  rango_model *model;
  rango_compress_summary summary;
  rango_compressed_layer *layers; /* in the arena */
  size_t layer_count;
  rg_left_alone left_alone; /* texts in the arena */
  rango_curve_point *curve;
  size_t curve_count;
  rg_portraits portraits; /* in the arena; layers NULL: not asked for */
};

/* Takes the trial's model over. */
rango_status rg_result_create(rg_job *job, rg_trial *trial, rango_compression **out);

#endif
