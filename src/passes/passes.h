/* Rewrites of a graph, one a file. canonical/ keeps standard ONNX and is all that compression sees; lower/ makes operators
 * of RG_PRIVATE_DOMAIN and layouts, on the engine's own copy. */
#ifndef RG_PASSES_PASSES_H
#define RG_PASSES_PASSES_H

#include "ops/op.h"

/* A pass changes `model` in place and adds to *changes what it did. Nodes must be resolved (rg_ops_resolve). */
typedef rango_status (*rg_pass)(rango_model *model, int *changes);

/* canonical/ */
rango_status rg_pass_inline_functions(rango_model *model, int *changes);
/* Results up to 64 MiB, but 4 KiB where they are bigger than what the node reads; what inference knows of shapes, too. */
rango_status rg_pass_fold_constants(rango_model *model, int *changes);
rango_status rg_pass_fold_batch_norm(rango_model *model, int *changes); /* into a Conv, ConvTranspose, Gemm, MatMul before it */
rango_status rg_pass_fold_bias_add(rango_model *model, int *changes);   /* Conv + constant Add → Conv's bias; MatMul(2-D weight) kept */
rango_status rg_pass_remove_identities(rango_model *model, int *changes); /* Identity, Dropout, no-op Reshape/Cast/Pad/... */
rango_status rg_pass_remove_dead(rango_model *model, int *changes);
rango_status rg_pass_merge_constants(rango_model *model, int *changes); /* Constant nodes → initializers, equal small ones shared */
rango_status rg_pass_constant_inputs(rango_model *model, int *changes); /* initializers listed as inputs are listed no more */
rango_status rg_pass_inline_branches(rango_model *model, int *changes); /* If with a constant condition */
rango_status rg_pass_settle_reshapes(rango_model *model, int *changes); /* targets known but for one size: a constant with -1 */
/* Resolves the nodes, then all of them until nothing changes. */
rango_status rg_passes_canonical(rango_model *model);

/* lower/: what they make is documented in ops/private.c */
rango_status rg_pass_fold_large_constants(rango_model *model, int *changes); /* whatever their growth; in canonical/ */
rango_status rg_pass_recognise_gelu(rango_model *model, int *changes);    /* x·½(1+erf(x/√2)), x·sigmoid(x) → rango.Activation */
rango_status rg_pass_recognise_norm(rango_model *model, int *changes);    /* spelled-out LayerNormalization, RMSNormalization */
rango_status rg_pass_fuse_matmul_add(rango_model *model, int *changes);   /* MatMul(x, W) + b, Gemm → rango.Dense */
rango_status rg_pass_fuse_conv(rango_model *model, int *changes);         /* Conv → rango.Conv */
rango_status rg_pass_fuse_activation(rango_model *model, int *changes);   /* into rango.Dense, rango.Conv (also residual Add) */
rango_status rg_pass_low_rank(rango_model *model, int *changes);          /* pairs of rango.Dense / rango.Conv → one operator */
rango_status rg_pass_layout(rango_model *model, int *changes);            /* channels-last, rango.Layout where needed */
rango_status rg_passes_lower(rango_model *model);
/* Of a Transpose that moves the channels alone: 1 to the end of the shape, -1 from there to axis 1; otherwise 0. The first is
 * nothing but another name for a channels-last image, the second makes one. */
int rg_channel_transpose(const rg_node *node);

#endif
