/* rango_calibrate with the time between two checkpoints. */
#ifndef RG_COMPRESS_CALIBRATE_H
#define RG_COMPRESS_CALIBRATE_H

#include "compress/dataset.h"

rango_status rg_calibrate(const rango_model *model, const rango_dataset *calib, const char *path,
                          const rango_calibrate_options *options, double interval);

#endif
