/* From a node to the family that prepares it. */
#include <string.h>

#include "cpu/families.h"

static const rg_cpu_family *const families[] = {
#define RG_CPU_LIST(family) &rg_cpu_##family,
    RG_CPU_FAMILIES(RG_CPU_LIST)
#undef RG_CPU_LIST
};

static const rg_cpu_operator *find(const rg_node *node) {
  for (size_t f = 0; f < sizeof families / sizeof *families; f++)
    for (size_t i = 0; i < families[f]->count; i++) {
      const rg_cpu_operator *entry = &families[f]->operators[i];
      if (strcmp(entry->op, node->op) == 0 && strcmp(entry->domain, node->domain) == 0) return entry;
    }
  return NULL;
}

rango_status rg_cpu_prepare(rg_prepare *prepare) {
  const rg_cpu_operator *entry = find(prepare->node);
  return entry != NULL ? entry->prepare(prepare) : RANGO_OK;
}

rg_layout_support rg_cpu_layout_support(const rg_node *node, const rg_facts *facts) {
  const rg_cpu_operator *entry = find(node);
  return entry != NULL && entry->layout != NULL ? entry->layout(node, facts) : RG_LAYOUT_NONE;
}
