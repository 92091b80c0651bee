/* Elements as the shaders that move or compare them see them (shaders/element.glsl). */
#ifndef RG_GPU_ELEMENT_H
#define RG_GPU_ELEMENT_H

#include "gpu/families.h"

typedef enum rg_gpu_element {
  RG_GPU_WORD, /* 4 bytes */
  RG_GPU_PAIR, /* 8 */
  RG_GPU_HALF, /* 2 */
  RG_GPU_BYTE,
  RG_GPU_ELEMENTS
} rg_gpu_element;

/* False where no shader takes elements of that size on this device. */
static inline bool rg_gpu_element_of(const rg_gpu_prepare *prepare, rango_type type, rg_gpu_element *out) {
  static const rg_gpu_element by_bytes[] = {[1] = RG_GPU_BYTE, [2] = RG_GPU_HALF, [4] = RG_GPU_WORD, [8] = RG_GPU_PAIR};
  const size_t bytes = rango_type_bits(type) < 8 ? 0 : rg_gpu_bytes(prepare, type, 1);
  if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) return false;
  *out = by_bytes[bytes];
  return *out != RG_GPU_HALF || prepare->device->info.half;
}

#endif
