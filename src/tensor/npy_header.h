/* The header of an .npy file: a Python dictionary in text. */
#ifndef RG_TENSOR_NPY_HEADER_H
#define RG_TENSOR_NPY_HEADER_H

#include "tensor/tensor.h"

typedef struct rg_npy_header {
  rango_type type; /* RANGO_STRING for 'S' and 'U' */
  char kind;       /* NumPy's letter: f i u b c S U */
  size_t item;     /* bytes of an element in the file */
  bool big_endian, fortran;
  rg_shape shape;
  size_t data_offset;
} rg_npy_header;

/* `name` is for messages. Checks that the file holds all of the data. */
rango_status rg_npy_read_header(const uint8_t *data, size_t bytes, const char *name, rg_npy_header *out);

#endif
