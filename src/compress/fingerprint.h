/* What a model and a data set are, in 64 bits: so that statistics are not used with others. Not against forgery. */
#ifndef RG_COMPRESS_FINGERPRINT_H
#define RG_COMPRESS_FINGERPRINT_H

#include "compress/dataset.h"

#define RG_HASH_START UINT64_C(0x9e3779b97f4a7c15)

/* Goes on with `hash` over `bytes` bytes, eight at a time. The same bytes in other pieces give another hash. */
uint64_t rg_hash(uint64_t hash, const void *data, size_t bytes);
uint64_t rg_hash_i64(uint64_t hash, int64_t number);

/* Of the graph (operators, attributes, connections) and every constant's shape and elements; names don't count. */
uint64_t rg_model_fingerprint(const rango_model *model);
/* Of the rows in their order: types, shapes, elements. */
uint64_t rg_dataset_fingerprint(const rango_dataset *data);

#endif
