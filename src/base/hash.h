/* Fast fingerprints of bytes, in 64 bits. Not against forgery. */
#ifndef RG_BASE_HASH_H
#define RG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define RG_HASH_START UINT64_C(0x9e3779b97f4a7c15)

/* Goes on with `hash` over `bytes` bytes, eight at a time. The same bytes in other pieces give another hash. */
uint64_t rg_hash(uint64_t hash, const void *data, size_t bytes);
uint64_t rg_hash_i64(uint64_t hash, int64_t number);

#endif
