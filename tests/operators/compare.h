/* Comparing a network's outputs with the stored ones. */
#ifndef TESTS_OPERATORS_COMPARE_H
#define TESTS_OPERATORS_COMPARE_H

#include "rango.h"

typedef struct rg_tolerance {
  double relative, absolute;
  bool elementwise; /* |y - r| <= absolute + relative |r| each; otherwise with the tensor's max |r| */
} rg_tolerance;

/* Types and shapes must agree, integers, bools and strings be equal, floats lie within the tolerance (widened to two
 * units in the last place of 16- and 8-bit floats); NaN equals NaN. False: `message` says what differs first. */
bool compare_tensors(const rango_tensor *got, const rango_tensor *expected, const rg_tolerance *tolerance,
                     char *message, size_t bytes);

#endif
