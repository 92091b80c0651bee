/* Finds librango-gpu: linked into the program, or a shared library beside this one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/session.h"

#ifdef __APPLE__
#define LIBRARY_NAME "librango-gpu.0.dylib"
#else
#define LIBRARY_NAME "librango-gpu.so.0"
#endif

typedef const rg_gpu_library *get_function(void);

extern get_function rg_gpu_library_get __attribute__((weak));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const rg_gpu_library *found;
static char reason[512];

static void *open_library(void) {
  char path[4096];
  Dl_info self;
  const char *slash = dladdr(reason, &self) && self.dli_fname ? strrchr(self.dli_fname, '/') : NULL;
  if (slash && (size_t)(slash - self.dli_fname) + sizeof "/" LIBRARY_NAME < sizeof path) {
    snprintf(path, sizeof path, "%.*s/%s", (int)(slash - self.dli_fname), self.dli_fname, LIBRARY_NAME);
    void *beside = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (beside) return beside;
  }
  return dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL);
}

/* The library stays open for as long as the process lives: its devices may be in use in any thread. */
static void find(void) {
  get_function *get = rg_gpu_library_get;
  if (!get) {
    void *library = open_library();
    if (!library) {
      const char *error = dlerror();
      snprintf(reason, sizeof reason, "%s", error ? error : LIBRARY_NAME " is not there");
      return;
    }
    *(void **)&get = dlsym(library, "rg_gpu_library_get");
  }
  found = get ? get() : NULL;
  if (found && found->version == RG_GPU_LIBRARY_VERSION) return;
  snprintf(reason, sizeof reason, "%s is of another version", LIBRARY_NAME);
  found = NULL;
}

rango_status rg_gpu_library_find(const rg_gpu_library **out) {
  pthread_once(&once, find);
  RG_FAIL_IF(!found, RANGO_ERROR_DEVICE, "Rango's GPU library can't be used (%s): run on the CPU", reason);
  *out = found;
  return RANGO_OK;
}
