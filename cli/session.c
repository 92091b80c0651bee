#include "session.h"

#include "output.h"

int session_check(const session_options *options) {
  if (options->device < 2) return EXIT_DONE;
  return report_failure_of("the %s device is not built yet: use --device cpu",
                           options->device == 2 ? "vulkan" : "metal");
}

rango_session_options session_settings(const session_options *options) {
  return (rango_session_options){.struct_size = sizeof(rango_session_options),
                                 .device = options->device == 1 ? RANGO_DEVICE_REFERENCE : RANGO_DEVICE_CPU,
                                 .threads = (int)options->threads,
                                 .isa = options->isa};
}
