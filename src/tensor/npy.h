/* NumPy's .npy: rango_tensor_load_npy, rango_tensor_save_npy, rango_tensor_parse_npy (rango.h), and their inner forms.
 */
#ifndef RG_TENSOR_NPY_H
#define RG_TENSOR_NPY_H

#include "tensor/tensor.h"

/* Strings: NumPy's 'S' and 'U' are read (as UTF-8), 'U' is written. Types that NumPy lacks are written as one that
 * holds their values: bfloat16, float8 and float4 as float32, 4- and 2-bit integers as 8-bit ones. */

/* Parses an .npy in memory. With `owner`, C-order little-endian data is used in place (a slice of it). */
rango_status rg_npy_parse(rg_buffer *owner, const void *data, size_t bytes, const char *name, rango_tensor *out);

#endif
