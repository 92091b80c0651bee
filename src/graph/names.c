/* Open addressing with linear probing, at most half full. FNV-1a over the name and the scope's address. */
#include "graph/names.h"

#include <string.h>

#include "base/memory.h"

typedef struct entry {
  const void *scope;
  const char *name; /* NULL: free */
  void *what;
} entry;

struct rg_names {
  entry *entries; /* [size] */
  size_t size, count;
};

#define FIRST_SIZE 256

static size_t hash(const void *scope, const char *name) {
  uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)(uintptr_t)scope >> 4;
  for (const unsigned char *c = (const unsigned char *)name; *c; c++) h = (h ^ *c) * 0x100000001b3u;
  return (size_t)(h ^ h >> 29);
}

rango_status rg_names_create(rg_names **out) {
  rg_names *names;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *names, RG_OUT(&names)));
  rango_status status = rg_calloc(FIRST_SIZE, sizeof(entry), RG_OUT(&names->entries));
  if (status != RANGO_OK) {
    rg_free(names);
    return status;
  }
  names->size = FIRST_SIZE;
  *out = names;
  return RANGO_OK;
}

void rg_names_free(rg_names *names) {
  if (!names) return;
  rg_free(names->entries);
  rg_free(names);
}

/* The entry of this name, or the free one where it would go. */
static entry *place(const rg_names *names, const void *scope, const char *name) {
  size_t mask = names->size - 1;
  for (size_t i = hash(scope, name) & mask;; i = (i + 1) & mask) {
    entry *e = &names->entries[i];
    if (!e->name || (e->scope == scope && strcmp(e->name, name) == 0)) return e;
  }
}

void *rg_names_find(const rg_names *names, const void *scope, const char *name) {
  return names ? place(names, scope, name)->what : NULL;
}

static rango_status grow(rg_names *names) {
  rg_names bigger = {.size = names->size * 2, .count = names->count};
  RG_TRY(rg_calloc(bigger.size, sizeof(entry), RG_OUT(&bigger.entries)));
  for (size_t i = 0; i < names->size; i++) {
    const entry *e = &names->entries[i];
    if (e->name) *place(&bigger, e->scope, e->name) = *e;
  }
  rg_free(names->entries);
  *names = bigger;
  return RANGO_OK;
}

rango_status rg_names_put(rg_names *names, const void *scope, const char *name, void *what) {
  if (2 * (names->count + 1) > names->size) RG_TRY(grow(names));
  entry *e = place(names, scope, name);
  if (!e->name) names->count++;
  *e = (entry){scope, name, what};
  return RANGO_OK;
}
