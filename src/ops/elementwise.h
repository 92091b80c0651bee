/* The steps of rango.Elementwise: a chain or tree of elementwise operators that one pass over memory computes. */
#ifndef RG_OPS_ELEMENTWISE_H
#define RG_OPS_ELEMENTWISE_H

#include "ops/support.h"

#define RG_STEPS_MAX   16
#define RG_STEP_ARRAYS 6 /* of the node's inputs, which come first, may have more than one element */

typedef enum rg_step_kind {
  RG_STEP_ACTIVATION = 0, /* of operand a alone */
  RG_STEP_ADD,
  RG_STEP_SUB,
  RG_STEP_MUL,
  RG_STEP_DIV,
  RG_STEP_MIN,
  RG_STEP_MAX,
  RG_STEP_PRELU,
  RG_STEP_COUNT
} rg_step_kind;

/* Operand i is the node's input i; behind the inputs, the result of step i - input_count. */
typedef struct rg_step {
  rg_step_kind kind;
  rg_activation activation;
  int a, b;
} rg_step;

typedef struct rg_steps {
  int count; /* the last one's result is the output */
  rg_step items[RG_STEPS_MAX];
} rg_steps;

/* Kind and activation of a node that is one such step of its inputs 0 and 1; false when it is none. */
bool rg_step_of(const rg_node *node, rg_step *out);
/* In an attribute of the node; false when it says nothing that could be run. */
rango_status rg_steps_write(rg_node *node, const rg_steps *steps);
bool rg_steps_read(const rg_node *node, rg_steps *out);

#endif
