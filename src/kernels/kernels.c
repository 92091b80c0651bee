/* Which table this CPU runs. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu_features.h"
#include "kernels/table.h"

typedef struct isa {
  const rg_kernels *kernels;
  bool (*usable)(const rg_cpu *cpu);
} isa;

static bool always(const rg_cpu *cpu) {
  (void)cpu;
  return true;
}

#if defined(__x86_64__)
static bool has_avx2(const rg_cpu *cpu) { return cpu->avx2 && cpu->fma && cpu->f16c; }
static bool has_avx512(const rg_cpu *cpu) {
  return has_avx2(cpu) && cpu->avx512f && cpu->avx512bw && cpu->avx512dq && cpu->avx512vl;
}
#elif defined(__aarch64__)
static bool has_neon(const rg_cpu *cpu) { return cpu->neon; }
#endif

/* Best first. */
static const isa tables[] = {
#if defined(__x86_64__)
    {&rg_kernels_avx512, has_avx512},
    {&rg_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&rg_kernels_neon, has_neon},
#endif
    {&rg_kernels_generic, always},
};
#define TABLE_COUNT (sizeof tables / sizeof *tables)

rango_status rg_kernels_get(const char *name, const rg_kernels **out) {
  const rg_cpu *cpu = rg_cpu_features();
  if (name == NULL) name = getenv("RANGO_ISA");
  const bool any = name == NULL || name[0] == '\0';
  char choices[64] = "";
  for (size_t i = 0; i < TABLE_COUNT; i++) {
    if (!tables[i].usable(cpu)) continue;
    const char *isa_name = tables[i].kernels->isa;
    if (any || strcmp(name, isa_name) == 0) {
      *out = tables[i].kernels;
      return RANGO_OK;
    }
    if (choices[0] != '\0') strcat(choices, ", ");
    strcat(choices, isa_name);
  }
  RG_FAIL(RANGO_ERROR_ARGUMENT, "instruction set '%s' is not known or not in this CPU: choose one of %s", name,
          choices);
}

const char *rg_kernels_isa(const rg_kernels *kernels) { return kernels->isa; }
