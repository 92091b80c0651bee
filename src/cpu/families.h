/* The CPU backend's operators, a file a family: each exports a table that RG_CPU_FAMILIES lists. */
#ifndef RG_CPU_FAMILIES_H
#define RG_CPU_FAMILIES_H

#include "cpu/cpu.h"
#include "kernels/table.h"

typedef struct rg_cpu_operator {
  const char *domain, *op; /* "" is ai.onnx */
  /* Fills `prepare`, or leaves run NULL where it has no kernel for these types, shapes or layouts. */
  rango_status (*prepare)(rg_prepare *prepare);
  /* What the layout pass may ask of it; NULL: RG_LAYOUT_NONE. */
  rg_layout_support (*layout)(const rg_node *node, const rg_facts *facts);
} rg_cpu_operator;

typedef struct rg_cpu_family {
  const rg_cpu_operator *operators;
  size_t count;
} rg_cpu_family;

/* Every family defines `const rg_cpu_family rg_cpu_<name>`. */
#define RG_CPU_FAMILIES(FAMILY)                                                                                        \
  FAMILY(dense)                                                                                                        \
  FAMILY(matmul)                                                                                                       \
  FAMILY(attention)                                                                                                    \
  FAMILY(conv)                                                                                                         \
  FAMILY(conv_transpose)                                                                                               \
  FAMILY(lowrank)                                                                                                      \
  FAMILY(elementwise)                                                                                                  \
  FAMILY(activation)                                                                                                   \
  FAMILY(steps)                                                                                                        \
  FAMILY(softmax)                                                                                                      \
  FAMILY(norm)                                                                                                         \
  FAMILY(reduce)                                                                                                       \
  FAMILY(transpose)                                                                                                    \
  FAMILY(pool)                                                                                                         \
  FAMILY(cast)                                                                                                         \
  FAMILY(copy)                                                                                                         \
  FAMILY(gather)                                                                                                       \
  FAMILY(resize)                                                                                                       \
  FAMILY(scatter)                                                                                                      \
  FAMILY(recurrent)

#define RG_CPU_DECLARE(family) extern const rg_cpu_family rg_cpu_##family;
RG_CPU_FAMILIES(RG_CPU_DECLARE)
#undef RG_CPU_DECLARE

/* At the end of a family's file. */
#define RG_CPU_EXPORT(family, array) const rg_cpu_family rg_cpu_##family = {(array), sizeof(array) / sizeof *(array)}

#endif
