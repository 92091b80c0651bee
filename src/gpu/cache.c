#include "gpu/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void rg_gpu_cache_path(const rg_gpu_info *info, const char *ending, char path[RG_GPU_CACHE_PATH]) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int length = -1;
  if (cache && cache[0] == '/')
    length = snprintf(path, RG_GPU_CACHE_PATH, "%s/rango/%s.%s", cache, info->cache_name, ending);
  else if (home && home[0] == '/')
    length = snprintf(path, RG_GPU_CACHE_PATH, "%s/.cache/rango/%s.%s", home, info->cache_name, ending);
  if (length < 0 || length >= RG_GPU_CACHE_PATH) path[0] = '\0';
}

/* The folder above the file, and the one above that: $XDG_CACHE_HOME may be new as well. */
rango_status rg_gpu_cache_folders(const char *path) {
  char folder[RG_GPU_CACHE_PATH];
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = '\0';
  char *last = strrchr(folder, '/');
  *last = '\0';
  mkdir(folder, 0700);
  *last = '/';
  RG_FAIL_IF(mkdir(folder, 0700) != 0 && errno != EEXIST, RANGO_ERROR_IO, "%s: can't be made: %s", folder,
             strerror(errno));
  return RANGO_OK;
}
