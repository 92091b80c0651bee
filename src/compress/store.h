/* A file of numbers and arrays: one function, called on a store that writes and on one that reads, says what is in it.
 *
 *     8 bytes    magic: 0x89 "RGS" CR LF 0x1a LF, which a transfer as text would damage
 *     4 + 4      version; 0x01020304 in the writer's byte order
 *     ...        items, each filled up with zeros to 8 bytes; an array has its size in front (-1: none)
 *     8 + 8      bytes so far; their hash
 *
 * A file that was cut, changed or made by another version is refused as a whole when it is opened. */
#ifndef RG_COMPRESS_STORE_H
#define RG_COMPRESS_STORE_H

#include "base/memory.h"

typedef struct rg_store rg_store;

/* Under a temporary name until rg_store_finish. */
rango_status rg_store_write(const char *path, rg_store **out);
/* The whole file is checked. RANGO_ERROR_FORMAT names it and says what is wrong. */
rango_status rg_store_read(const char *path, rg_store **out);
bool rg_store_is_reading(const rg_store *store);
const char *rg_store_path(const rg_store *store);

/* Writes `bytes` bytes, or reads as many. */
rango_status rg_store_item(rg_store *store, void *item, size_t bytes);
/* Writes *array, of `count` elements (NULL: its absence), or reads it into new memory (rg_alloc); another size than the
 * one that is expected is RANGO_ERROR_FORMAT. */
rango_status rg_store_array(rg_store *store, void **array, int64_t count, size_t element_bytes);

/* Writing: puts the file in place. Reading: nothing may be left. */
rango_status rg_store_finish(rg_store *store);
void rg_store_free(rg_store *store);

#endif
