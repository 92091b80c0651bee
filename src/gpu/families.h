/* The GPU's operators, a file a family: each exports a table that RG_GPU_FAMILIES lists. */
#ifndef RG_GPU_FAMILIES_H
#define RG_GPU_FAMILIES_H

#include "gpu/gpu.h"
#include "gpu/shader_ids.h" /* generated: enum { RG_SHADER_<name>, ... } */

typedef struct rg_gpu_operator {
  const char *domain, *op; /* "" is ai.onnx */
  /* Adds tasks, or leaves task_count 0 where no shader does it for these types, shapes or layouts. */
  rango_status (*prepare)(rg_gpu_prepare *prepare);
} rg_gpu_operator;

typedef struct rg_gpu_family {
  const rg_gpu_operator *operators;
  size_t count;
} rg_gpu_family;

/* Every family defines `const rg_gpu_family rg_gpu_family_<name>`. */
#define RG_GPU_FAMILIES(FAMILY)                                                                                        \
  FAMILY(dense)                                                                                                        \
  FAMILY(conv)                                                                                                         \
  FAMILY(elementwise)                                                                                                  \
  FAMILY(compare)                                                                                                      \
  FAMILY(cast)                                                                                                         \
  FAMILY(move)                                                                                                         \
  FAMILY(pad)                                                                                                          \
  FAMILY(reduce)                                                                                                       \
  FAMILY(softmax)                                                                                                      \
  FAMILY(norm)                                                                                                         \
  FAMILY(pool)                                                                                                         \
  FAMILY(gather)                                                                                                       \
  FAMILY(resize)                                                                                                       \
  FAMILY(attention)

#define RG_GPU_DECLARE(family) extern const rg_gpu_family rg_gpu_family_##family;
RG_GPU_FAMILIES(RG_GPU_DECLARE)
#undef RG_GPU_DECLARE

/* At the end of a family's file. */
#define RG_GPU_EXPORT(family, array)                                                                                   \
  const rg_gpu_family rg_gpu_family_##family = {(array), sizeof(array) / sizeof *(array)}

/* ---- helpers (prepare.c) ---- */

/* A shader has a twin for half storage right behind it where the list of variants says so. */
static inline int rg_gpu_variant(const rg_gpu_prepare *prepare, int shader) { return shader + (prepare->half ? 1 : 0); }
int64_t rg_gpu_units(const rg_gpu_prepare *prepare); /* multiprocessors; a guess where the driver tells nothing */
/* The next task of the node: groups 1, no operands. */
rg_gpu_task *rg_gpu_add(rg_gpu_prepare *prepare, int shader);
/* One group for each `threads` of `count`, spread over two axes where one can't hold them: shaders see the flat group
 * as y * gl_NumWorkGroups.x + x. False where even that is too many. */
bool rg_gpu_groups(const rg_gpu_prepare *prepare, rg_gpu_task *task, int64_t count, int64_t threads);
rg_gpu_operand rg_gpu_in(int index);
rg_gpu_operand rg_gpu_out(int index);
rg_gpu_operand rg_gpu_scratch(rg_gpu_prepare *prepare, size_t bytes,
                              bool written); /* new bytes of the node's scratch */
/* A constant input in the form that `pack` makes of it, on the device. */
rango_status rg_gpu_weight_get(rg_gpu_prepare *prepare, const rango_tensor *weight, const char *key, size_t bytes,
                               rg_gpu_pack pack, const void *argument, rg_gpu_operand *out);
/* The same by a shader (rg_gpu_weights_make). */
rango_status rg_gpu_weight_make(rg_gpu_prepare *prepare, const rango_tensor *weight, const char *key, size_t bytes,
                                const rg_gpu_task *task, rg_gpu_operand *out);
/* The same as it is; float32 as float16 where prepare->half. An input that is no constant is bound as it comes. */
rango_status rg_gpu_operand_of(rg_gpu_prepare *prepare, int input, rg_gpu_operand *out);
/* Elements of input or output, as a 32-bit number: false when there are more. */
bool rg_gpu_count(const rg_fact *fact, uint32_t *out);
bool rg_gpu_is_float(const rg_fact *fact);                                          /* a float32 tensor, present */
size_t rg_gpu_bytes(const rg_gpu_prepare *prepare, rango_type type, int64_t count); /* on the device */
/* Fills `prepare` by the node's family. */
rango_status rg_gpu_prepare_node(rg_gpu_prepare *prepare);

#endif
