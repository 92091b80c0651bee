/* RAPL: counters of microjoules that wrap around, one a zone. A package's cores and graphics are part of it; its memory
 * (zone dram) is counted beside it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/energy.h"

#define ZONES_MAX 64

typedef struct zone {
  char path[512];
  uint64_t last, range;
} zone;

typedef struct rapl {
  rango_meter base;
  int count;
  double joules;
  zone zones[ZONES_MAX];
} rapl;

static bool read_text(const char *folder, const char *name, char text[64]) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  errno = 0;
  const bool there = fgets(text, 64, file) != NULL;
  fclose(file);
  text[there ? strcspn(text, "\n") : 0] = '\0';
  return there;
}

static bool read_number(const char *folder, const char *name, uint64_t *out) {
  char text[64], *end;
  if (!read_text(folder, name, text)) return false;
  *out = strtoull(text, &end, 10);
  return end != text && *end == '\0';
}

static rango_status read_rapl(rango_meter *meter, double *joules) {
  rapl *self = (rapl *)meter;
  for (int i = 0; i < self->count; i++) {
    zone *z = &self->zones[i];
    uint64_t now;
    RG_FAIL_IF(!read_number(z->path, "energy_uj", &now), RANGO_ERROR_UNSUPPORTED, "%s/energy_uj: %s", z->path,
               errno ? strerror(errno) : "no number");
    self->joules += 1e-6 * (double)(now >= z->last ? now - z->last : now + (z->range - z->last));
    z->last = now;
  }
  *joules = self->joules;
  return RANGO_OK;
}

static void free_rapl(rango_meter *meter) { rg_free(meter); }

/* "intel-rapl:0" is a package (AMD's, too), "intel-rapl:0:1" a part of one. */
static bool is_wanted(const char *folder, const char *zone_name) {
  char path[512], name[64];
  if (strncmp(zone_name, "intel-rapl:", 11) != 0) return false;
  snprintf(path, sizeof path, "%s/%s", folder, zone_name);
  if (!read_text(path, "name", name)) return false;
  return strchr(zone_name + 11, ':') ? strcmp(name, "dram") == 0 : strncmp(name, "package", 7) == 0;
}

static rango_status add_zone(rapl *self, const char *folder, const char *name) {
  zone *z = &self->zones[self->count];
  snprintf(z->path, sizeof z->path, "%s/%s", folder, name);
  RG_FAIL_IF(!read_number(z->path, "energy_uj", &z->last), RANGO_ERROR_UNSUPPORTED,
             "the CPU's energy counter can't be read (%s/energy_uj: %s)", z->path,
             errno ? strerror(errno) : "no number");
  if (!read_number(z->path, "max_energy_range_uj", &z->range)) z->range = UINT32_MAX;
  self->count++;
  return RANGO_OK;
}

static rango_status find_zones(rapl *self, const char *folder) {
  DIR *directory = opendir(folder);
  RG_FAIL_IF(!directory, RANGO_ERROR_UNSUPPORTED, "the CPU has no energy counter that the system shows (%s: %s)",
             folder, strerror(errno));
  rango_status status = RANGO_OK;
  for (struct dirent *entry; status == RANGO_OK && self->count < ZONES_MAX && (entry = readdir(directory));)
    if (is_wanted(folder, entry->d_name)) status = add_zone(self, folder, entry->d_name);
  closedir(directory);
  RG_TRY(status);
  RG_FAIL_IF(self->count == 0, RANGO_ERROR_UNSUPPORTED,
             "the CPU has no energy counter that the system shows (no package in %s)", folder);
  return RANGO_OK;
}

rango_status rg_meter_rapl(const char *folder, rango_meter **out) {
  rapl *self;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *self, RG_OUT(&self)));
  self->base = (rango_meter){read_rapl, free_rapl};
  const rango_status status = find_zones(self, folder);
  if (status == RANGO_OK)
    *out = &self->base;
  else
    rg_free(self);
  return status;
}
