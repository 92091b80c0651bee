/* Files in the user's cache folder that outlive the process, each for one kind of device and driver. */
#ifndef RG_GPU_CACHE_H
#define RG_GPU_CACHE_H

#include "gpu/backend.h"

#define RG_GPU_CACHE_PATH 512

/* $XDG_CACHE_HOME/rango/<the device's name>.<ending>, else ~/.cache/rango/...; "" where there is no such folder. */
void rg_gpu_cache_path(const rg_gpu_info *info, const char *ending, char path[RG_GPU_CACHE_PATH]);
/* Makes the folders that the file wants. */
rango_status rg_gpu_cache_folders(const char *path);

#endif
