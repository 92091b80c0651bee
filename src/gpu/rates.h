/* The file that holds what tuning measured of a device: text, a line a tile. */
#ifndef RG_GPU_RATES_H
#define RG_GPU_RATES_H

#include "gpu/cache.h"

/* False, with the reason in the log, where there is no file of this device, driver and these tiles. */
bool rg_gpu_rates_read(const rg_gpu_info *info, rg_gpu_rate rates[RG_GPU_TILES]);
/* `path`: of the file, which is written whole or not at all. */
rango_status rg_gpu_rates_write(const rg_gpu_info *info, const rg_gpu_rate rates[RG_GPU_TILES],
                                char path[RG_GPU_CACHE_PATH]);

#endif
