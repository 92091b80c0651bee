/* This machine, as rango_cpu_get_info tells it. */
#include <string.h>

#include "base/cpu_cores.h"
#include "base/cpu_features.h"
#include "kernels/kernels.h"

static const char *features_text(const rg_cpu *cpu) {
  static _Thread_local char text[128];
  const struct {
    bool there;
    const char *name;
  } features[] = {{cpu->avx2, "avx2"},         {cpu->fma, "fma"},           {cpu->f16c, "f16c"},
                  {cpu->avx512f, "avx512f"},   {cpu->avx512bw, "avx512bw"}, {cpu->avx512dq, "avx512dq"},
                  {cpu->avx512vl, "avx512vl"}, {cpu->neon, "neon"},         {cpu->fp16, "fp16"},
                  {cpu->dotprod, "dotprod"}};
  text[0] = '\0';
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    if (!features[i].there) continue;
    if (text[0] != '\0') strcat(text, " ");
    strcat(text, features[i].name);
  }
  return text;
}

static const char *architecture(void) {
#if defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "other";
#endif
}

rango_status rango_cpu_get_info(rango_cpu_info *out) {
  RG_FAIL_IF(out == NULL, RANGO_ERROR_ARGUMENT, "rango_cpu_get_info: out is NULL");
  RG_FAIL_IF(out->struct_size < sizeof *out, RANGO_ERROR_ARGUMENT,
             "rango_cpu_get_info: struct_size is %zu; set it to sizeof(rango_cpu_info)", out->struct_size);
  const rg_cpu *cpu = rg_cpu_features();
  const rg_kernels *kernels;
  RG_TRY(rg_kernels_get(NULL, &kernels));
  out->architecture = architecture();
  out->features = features_text(cpu);
  out->isa = rg_kernels_isa(kernels);
  out->cores = rg_cpu_cores();
  out->l1_bytes = cpu->l1_bytes;
  out->l2_bytes = cpu->l2_bytes;
  out->l3_bytes = cpu->l3_bytes;
  return RANGO_OK;
}
