/* rango.Elementwise, which passes/lower makes of chains and trees of elementwise operators: all steps of an element
 * after each other. Row-major. */
#include "ops/compute.h"
#include "ops/elementwise.h"

static float apply(const rg_step *step, float a, float b) {
  switch (step->kind) {
  case RG_STEP_ACTIVATION:
    return rg_activation_apply(step->activation, a);
  case RG_STEP_ADD:
    return a + b;
  case RG_STEP_SUB:
    return a - b;
  case RG_STEP_MUL:
    return a * b;
  case RG_STEP_DIV:
    return a / b;
  case RG_STEP_MIN: /* NaN on either side gives NaN */
    return a != a || a < b ? a : b;
  case RG_STEP_MAX:
    return a != a || a > b ? a : b;
  case RG_STEP_PRELU:
    return a < 0 ? a * b : a;
  case RG_STEP_COUNT:
    break;
  }
  return a;
}

static rango_status collect(rg_exec *exec, int count, rg_shape *shape, const float **data,
                            int64_t (*strides)[RANGO_MAX_RANK]) {
  const rango_tensor *inputs[2 * RG_STEPS_MAX];
  *shape = (rg_shape){0};
  for (int i = 0; i < count; i++) {
    rg_shape sum;
    RG_TRY(rg_need_float(exec, i, 0, &inputs[i]));
    if (inputs[i]->type != RANGO_FLOAT32 || !rg_broadcast_shape(shape, &inputs[i]->shape, &sum))
      return rg_exec_fail(exec, RANGO_ERROR_ARGUMENT, "input %d is of another type, or can't be broadcast", i);
    *shape = sum;
  }
  for (int i = 0; i < count; i++) {
    rg_broadcast_strides(&inputs[i]->shape, shape, strides[i]);
    data[i] = inputs[i]->data;
  }
  return RANGO_OK;
}

static rango_status compute_elementwise(rg_exec *exec) {
  const int inputs = exec->input_count;
  rg_steps steps;
  rg_shape shape;
  rango_tensor *y;
  const float *data[2 * RG_STEPS_MAX] = {0};
  int64_t strides[2 * RG_STEPS_MAX][RANGO_MAX_RANK], count;
  if (inputs > 2 * RG_STEPS_MAX || !rg_steps_read(exec->node, &steps))
    return rg_exec_fail(exec, RANGO_ERROR_FORMAT, "attribute steps says nothing that could be run");
  RG_TRY(collect(exec, inputs, &shape, data, strides));
  RG_TRY(rg_shape_count(&shape, &count));
  RG_TRY(rg_exec_output(exec, 0, RANGO_FLOAT32, &shape, &y));
  for (int64_t at = 0; y && at < count; at++) {
    float values[3 * RG_STEPS_MAX], *results = values + inputs;
    for (int i = 0; i < inputs; i++) {
      int64_t rest = at, offset = 0;
      for (int axis = shape.rank - 1; axis >= 0; rest /= shape.dims[axis--])
        offset += rest % shape.dims[axis] * strides[i][axis];
      values[i] = data[i][offset];
    }
    for (int i = 0; i < steps.count; i++)
      results[i] = apply(&steps.items[i], values[steps.items[i].a], values[steps.items[i].b]);
    ((float *)y->data)[at] = results[steps.count - 1];
  }
  return RANGO_OK;
}

static const rg_op ops[] = {
    {RG_PRIVATE_DOMAIN, "Elementwise", 1, RG_OPSET_MAX, 1, 2 * RG_STEPS_MAX, 1, 1,
     RG_OP_PRIVATE | RG_OP_FLOAT_ONLY | RG_OP_ELEMENTWISE, NULL, rg_infer_broadcast, compute_elementwise, NULL},
};
RG_OPS_EXPORT(elementwise, ops);
