/* Rewrites of a graph, one a file. canonical/ keeps standard ONNX and is all that compression sees; lower/ makes
 * operators of RG_PRIVATE_DOMAIN and layouts, on the engine's own copy. */
#ifndef RG_PASSES_PASSES_H
#define RG_PASSES_PASSES_H

#include "ops/op.h"

/* A pass changes `model` in place and adds to *changes what it did. Nodes must be resolved (rg_ops_resolve). */
typedef rango_status (*rg_pass)(rango_model *model, int *changes);

/* ---- canonical/ ---- */

/* Initializers that are listed as inputs are listed no more. */
rango_status rg_pass_constant_inputs(rango_model *model, int *changes);
rango_status rg_pass_inline_functions(rango_model *model, int *changes);
/* If with a constant condition. */
rango_status rg_pass_inline_branches(rango_model *model, int *changes);
/* Results up to 64 MiB, but 4 KiB where they are bigger than what the node reads; what inference knows, too. */
rango_status rg_pass_fold_constants(rango_model *model, int *changes);
/* The same whatever their growth: for models that are not written (lower/). */
rango_status rg_pass_fold_large_constants(rango_model *model, int *changes);
/* Reshape targets that are known but for sizes of the input: a constant with 0 and -1. */
rango_status rg_pass_settle_reshapes(rango_model *model, int *changes);
/* Identity, Dropout, Reshape, Cast, Pad, ... that do nothing. */
rango_status rg_pass_remove_identities(rango_model *model, int *changes);
/* BatchNormalization into the Conv, ConvTranspose, Gemm or MatMul before it. */
rango_status rg_pass_fold_batch_norm(rango_model *model, int *changes);
/* Conv + constant Add → Conv's bias. MatMul keeps its Add. */
rango_status rg_pass_fold_bias_add(rango_model *model, int *changes);
/* Constant nodes → initializers; equal small ones are shared. */
rango_status rg_pass_merge_constants(rango_model *model, int *changes);
rango_status rg_pass_remove_dead(rango_model *model, int *changes);
/* Resolves the nodes, then all of them until nothing changes. */
rango_status rg_passes_canonical(rango_model *model);

/* ---- lower/: what they make is documented in ops/family_private.c ---- */

/* x·½(1+erf(x/√2)), x·sigmoid(x) → rango.Activation */
rango_status rg_pass_recognise_gelu(rango_model *model, int *changes);
/* Spelled-out LayerNormalization, RMSNormalization. */
rango_status rg_pass_recognise_norm(rango_model *model, int *changes);
/* softmax(q kᵀ + mask) v → rango.Attention */
rango_status rg_pass_fuse_attention(rango_model *model, int *changes);
/* Attention → rango.Attention, where it is plain */
rango_status rg_pass_recognise_attention(rango_model *model, int *changes);
/* MatMul(x, W) + b, Gemm → rango.Dense */
rango_status rg_pass_fuse_matmul_add(rango_model *model, int *changes);
/* Conv → rango.Conv */
rango_status rg_pass_fuse_conv(rango_model *model, int *changes);
/* Scales and shifts in front of rango.Dense and rango.Conv, where exact. */
rango_status rg_pass_fold_scale(rango_model *model, int *changes);
/* Into rango.Dense and rango.Conv; a residual Add, too. */
rango_status rg_pass_fuse_activation(rango_model *model, int *changes);
/* A product with one-hot rows → rango.Lookup */
rango_status rg_pass_recognise_lookup(rango_model *model, int *changes);
/* Pairs of rango.Dense or rango.Conv → one operator. */
rango_status rg_pass_low_rank(rango_model *model, int *changes);
/* Channels-last, and rango.Layout where needed. */
rango_status rg_pass_layout(rango_model *model, int *changes);
/* Chains and trees of elementwise operators that are left → rango.Elementwise */
rango_status rg_pass_fuse_elementwise(rango_model *model, int *changes);
rango_status rg_passes_lower(rango_model *model);
/* Of a Transpose that moves the channels alone: 1 to the end of the shape, -1 from there to axis 1; otherwise 0. The
 * first is nothing but another name for a channels-last image, the second makes one. */
int rg_channel_transpose(const rg_node *node);

#endif
