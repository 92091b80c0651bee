/* The part of libdispatch's interface that src/gpu/metal uses: bytes that Metal takes. */
#ifndef DISPATCH_EMULATED_H
#define DISPATCH_EMULATED_H

#include <stddef.h>

typedef struct emulated_dispatch_data *dispatch_data_t;

#define DISPATCH_DATA_DESTRUCTOR_DEFAULT NULL /* the bytes are copied */

dispatch_data_t dispatch_data_create(const void *bytes, size_t size, void *queue, void *destructor);
void dispatch_release(dispatch_data_t data);

#endif
