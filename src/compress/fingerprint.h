/* What a model and a data set are, in 64 bits: so that statistics are not used with others. Not against forgery. */
#ifndef RG_COMPRESS_FINGERPRINT_H
#define RG_COMPRESS_FINGERPRINT_H

#include "base/hash.h"
#include "compress/dataset.h"

/* Of the graph (operators, attributes, connections) and every constant's shape and elements; names don't count. */
uint64_t rg_model_fingerprint(const rango_model *model);
/* Of the rows in their order: types, shapes, elements. */
uint64_t rg_dataset_fingerprint(const rango_dataset *data);

#endif
