/* What two families of elementwise operators share. */
#ifndef RG_GPU_ELEMENTWISE_H
#define RG_GPU_ELEMENTWISE_H

#include "gpu/families.h"

/* Add, Sub, Mul, Div, Min and Max of two int32 or int64 inputs. */
rango_status rg_gpu_prepare_integers(rg_gpu_prepare *prepare);

#endif
