/* A convolution as a matrix product over the pixels of its output: implicit, so that no column matrix is made. */
#ifndef RG_CPU_CONV_H
#define RG_CPU_CONV_H

#include "cpu/image.h"
#include "cpu/right.h"

/* How the input is made ready before the product (conv_stage.c). The convolution's geometry is then of the result. */
typedef struct rg_conv_stage {
  bool needed;
  bool row_major;        /* what comes */
  bool border;           /* zeros around it are made part of the image */
  int64_t in[3], pad[3]; /* where there is a border: the image's size, and where it begins */
  size_t pixels, lines;  /* of an image that comes; of one that is made, in pieces to copy */
} rg_conv_stage;

/* With fewer channels than this, those of one pixel are too short a run for a pointer: a window's row is one. */
#define RG_CONV_FEW_CHANNELS 33
/* The same where a window's row can't be one, and copying the window is what is left. */
#define RG_CONV_VERY_FEW_CHANNELS 8
/* Inputs of groups that are multiplied as one, at most: each costs as many multiplications by zero as there are groups.
 */
#define RG_CONV_MERGED_INPUTS 32

typedef struct rg_conv {
  const struct rg_winograd *winograd; /* not NULL: runs it (winograd.h), and but for `scratch` nothing below is set */
  rg_conv_geometry geometry;
  rg_conv_stage stage;
  rg_image residual; /* where a residual's elements lie */
  rg_right right;
  rg_gemm gemm;
  bool pointwise; /* pixels are rows of a matrix */
  enum {
    RG_CONV_TAPS,  /* a pointer for each tap of a window */
    RG_CONV_RUNS,  /* few channels: a pointer for each row of a window, whose pixels lie together */
    RG_CONV_GATHER /* few channels of a group, or taps apart: a window's elements are copied into scratch */
  } mode;
  bool per_image;     /* each image is a product of its own: outputs are row-major */
  const float *zeros; /* a segment's: what lies outside the image */
  size_t scratch;
} rg_conv;

/* What a convolution is made of: facts, layouts, and which of the node's inputs the weight is. */
typedef struct rg_conv_parts {
  const char *suffix; /* of the attributes' names */
  const rg_fact *x, *y;
  rg_layout x_layout, y_layout, residual_layout;
  int weight; /* input */
} rg_conv_parts;

/* Chooses the method, plans it and packs the weight; adds what rg_right_get and rg_conv_input take to
 * prepare->scratch_bytes, but not conv->scratch. */
rango_status rg_conv_prepare(rg_prepare *prepare, const rg_conv_parts *parts, rg_conv *conv);
/* Settles conv->stage for an input of that layout, and adds its scratch. */
rango_status rg_conv_stage_prepare(rg_prepare *prepare, rg_layout x_layout, rg_conv *conv);
/* What comes, `from`, as conv->geometry.x says: channels-last. */
rango_status rg_conv_input(const rg_conv *conv, rg_exec *exec, const float *from, const float **out);

typedef struct rg_conv_operands {
  const rg_conv *conv;
  const float *x, *b;    /* x channels-last, b packed */
  const float *bias;     /* or NULL */
  const float *residual; /* or NULL */
  float *y;
  size_t first_row; /* that y and residual begin with */
} rg_conv_operands;

/* y = activation(convolution of `from` + bias + residual), all of it; operands' x and b are set here. `scratch`:
 * conv->scratch. */
rango_status rg_conv_run(rg_exec *exec, const float *from, rg_conv_operands *operands, rg_activation activation,
                         void *scratch);
/* The callbacks for rg_gemm_run and rg_gemm_run_rows, where conv->winograd is NULL. `operands` must outlive them. */
rg_gemm_args rg_conv_args(const rg_conv_operands *operands, rg_activation activation);

/* `rows` of those callbacks: conv_rows.c. */
void rg_conv_rows(const void *source, size_t item, size_t begin, size_t count, float *scratch, const float **pointers);

/* One channel in, one out a group, all channels-last, constant weight: conv_depthwise.c. Leaves prepare->run NULL where
 * it doesn't apply. */
rango_status rg_depthwise_prepare(rg_prepare *prepare, const rg_conv_parts *parts, bool residual);

/* Node's inputs and output are float32 with known shapes, of rank 3 to 5. */
bool rg_conv_is_supported(const rg_prepare *prepare);

/* The layout that every kind of convolution wants: channels-last, where the input is float32 of rank 3 to 5. */
rg_layout_support rg_conv_layout(const rg_node *node, const rg_facts *facts);

#endif
