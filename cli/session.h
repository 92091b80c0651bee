/* What the commands that run a model have in common: device, threads, kernels. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "args.h"
#include "rango.h"

typedef struct session_options {
  const char *device;
  int64_t threads;
  const char *isa;
  bool half;
} session_options;

#define SESSION_DEFAULTS                                                                                               \
  { "cpu", 0, NULL, false }
#define SESSION_OPTIONS(target)                                                                                        \
  {"device", 0, OPTION_TEXT, &(target)->device, "cpu|reference|vulkan[:N]|metal[:N]", "where to run [cpu]", 0, 0},     \
      {"half", 0, OPTION_FLAG, &(target)->half, NULL, "on a GPU: values and weights in memory as float16", 0, 0},      \
      {"threads", 't', OPTION_INT, &(target)->threads, "N", "threads; 0: one a core [0]", 0, 1024}, {                  \
    "isa", 0, OPTION_TEXT, &(target)->isa, "NAME", "kernels: generic, neon, avx2 or avx512 [the CPU's best]", 0, 0     \
  }

/* "vulkan:1" and the like; false for what names no device. */
bool session_device(const char *text, rango_device *device, int *gpu);
/* The other way round. */
void session_device_text(rango_device device, int gpu, char text[32]);
/* EXIT_DONE, or EXIT_USAGE with the message printed. */
int session_read(const command *self, const session_options *options, rango_session_options *out);

#endif
