#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [RANGO_DEVICE_CPU] = "cpu",
    [RANGO_DEVICE_REFERENCE] = "reference",
    [RANGO_DEVICE_VULKAN] = "vulkan",
    [RANGO_DEVICE_METAL] = "metal",
};

bool session_device(const char *text, rango_device *device, int *gpu) {
  const size_t length = strcspn(text, ":");
  *gpu = 0;
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
    if (strlen(names[i]) != length || strncmp(names[i], text, length) != 0) continue;
    *device = (rango_device)i;
    if (!text[length]) return true;
    char *end;
    const long index = strtol(text + length + 1, &end, 10);
    *gpu = (int)index;
    return i >= RANGO_DEVICE_VULKAN && text[length + 1] && !*end && index >= 0 && index < 1000;
  }
  return false;
}

void session_device_text(rango_device device, int gpu, char text[32]) {
  if (device >= RANGO_DEVICE_VULKAN)
    snprintf(text, 32, "%s:%d", names[device], gpu);
  else
    snprintf(text, 32, "%s", names[device]);
}

int session_read(const command *self, const session_options *options, rango_session_options *out) {
  *out = (rango_session_options){
      .struct_size = sizeof *out, .threads = (int)options->threads, .isa = options->isa, .gpu_half = options->half};
  if (!session_device(options->device, &out->device, &out->gpu))
    return args_wrong(self, "--device: '%s' is none of cpu, reference, vulkan, vulkan:N, metal, metal:N",
                      options->device);
  if (options->half && out->device < RANGO_DEVICE_VULKAN)
    return args_wrong(self, "--half: float16 memory is for GPUs: add --device vulkan or metal");
  return EXIT_DONE;
}
