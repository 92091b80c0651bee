/* What file.c needs of buffers beside memory.h. */
#ifndef RG_BASE_BUFFER_H
#define RG_BASE_BUFFER_H

#include "base/memory.h"

/* A buffer over a mapping of `bytes` > 0 bytes at `data`, which it unmaps in the end; on failure it is the caller's. */
rango_status rg_buffer_create_mapped(void *data, size_t bytes, rg_buffer **out);
/* Zeros in a temporary file without a name, so that rg_buffer_forget_pages serves: the content stays. */
rango_status rg_buffer_create_scratch(size_t bytes, rg_buffer **out);

#endif
