/* 4-bit floats beside the 8-bit ones of tensor.h. */
#ifndef RG_TENSOR_FLOAT8_H
#define RG_TENSOR_FLOAT8_H

#include "tensor/tensor.h"

/* E2M1: sign, two exponent bits, one of mantissa; the code is in the low four bits. No NaN: it becomes 0. Saturates. */
float rg_float4_to_float(uint8_t code);
uint8_t rg_float_to_float4(float value);

#endif
