/* What the commands that run a model have in common: device, threads, kernels. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "args.h"
#include "rango.h"

typedef struct session_options {
  int device;
  int64_t threads;
  const char *isa;
} session_options;

#define SESSION_DEFAULTS                                                                                               \
  { 0, 0, NULL }
#define SESSION_OPTIONS(target)                                                                                        \
  {"device", 0, OPTION_CHOICE, &(target)->device, "cpu|reference|vulkan|metal", "where to run [cpu]", 0, 0},           \
      {"threads", 't', OPTION_INT, &(target)->threads, "N", "threads; 0: one a core [0]", 0, 1024}, {                  \
    "isa", 0, OPTION_TEXT, &(target)->isa, "NAME", "kernels: generic, neon, avx2 or avx512 [the CPU's best]", 0, 0     \
  }

/* EXIT_DONE, or what to exit with: a GPU was asked for, which isn't built yet. */
int session_check(const session_options *options);
rango_session_options session_settings(const session_options *options);

#endif
