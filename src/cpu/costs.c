/*
 * Milliseconds of a layer, from a few rates:
 *
 *   overhead + max(multiply-adds in whole tiles / rate, bytes of weights / bandwidth)
 *
 * Columns are rounded up to half a tile, since the kernels compute that many (a rank of 5 costs what 16 does with
 * AVX-512). The rate grows with the number of rows that a weight serves, from one row's to a whole tile's. A 3 x 3
 * convolution takes the faster of that and Winograd's method: products of fewer rows, plus its transforms' bytes.
 */
#include "cpu/costs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_features.h"
#include "base/file.h"

#define FILE_BYTES_MAX 65536

void rg_costs_init(rg_costs *costs, const rg_kernels *kernels) {
  const rg_cpu *cpu = rg_cpu_features();
  *costs = (rg_costs){.mr = (double)kernels->mr, .nr = (double)kernels->nr, .rates = kernels->costs};
  strncpy(costs->isa, kernels->isa, RG_COSTS_ISA - 1);
  costs->cache_bytes = cpu->l3_bytes > 0   ? (double)cpu->l3_bytes / 2.0
                       : cpu->l2_bytes > 0 ? (double)cpu->l2_bytes
                                           : 1e6;
  costs->l2_bytes = cpu->l2_bytes > 0 ? (double)cpu->l2_bytes : 5e5;
}

rango_status rg_costs_default(const rg_kernels *kernels, rg_costs **out) {
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof **out, RG_OUT(out)));
  rg_costs_init(*out, kernels);
  return RANGO_OK;
}

void rg_costs_free(rg_costs *costs) { rg_free(costs); }

/* ---- the model ---- */

/* Seconds of the multiply-adds of rows x k x n. */
static double compute_seconds(const rg_costs *costs, double rows, double k, double n) {
  const rg_kernel_costs *rates = &costs->rates;
  const double half = costs->nr / 2.0;
  const double whole_columns = floor(n / costs->nr) * costs->nr, rest = n - whole_columns;
  const double full = rest > half ? whole_columns + costs->nr : whole_columns,
               halves = rest > 0 && rest <= half ? half : 0;
  const double share = fmin(rows / costs->mr, 1.0); /* of a tile's rows that there are */
  const double rate = rates->gflops_row + (rates->gflops - rates->gflops_row) * share;
  const double rate_half =
      rates->gflops_row * rates->gflops_half / rates->gflops * (1.0 - share) + rates->gflops_half * share;
  return 2e-9 * rows * k * (full / rate + halves / rate_half);
}

/* Seconds that reading weights takes. */
static double read_seconds(const rg_costs *costs, double weights) {
  const double bytes = 4.0 * weights;
  return 1e-9 * bytes / (bytes <= costs->cache_bytes ? costs->rates.gbytes_cache : costs->rates.gbytes_ram);
}

static double product_seconds(const rg_costs *costs, double rows, double k, double n, double threads) {
  return fmax(compute_seconds(costs, rows, k, n) / threads, read_seconds(costs, k * n));
}

static double threads_of(const rg_cost_query *query) { return query->threads > 1 ? (double)query->threads : 1.0; }

/* Its weights are so large that a network's don't stay in the last-level cache from one run to the next: more than the
 * second-level cache holds comes from memory, and no faster with more threads. */
static double winograd_seconds(const rg_costs *costs, const rg_cost_query *query, double m) {
  const double side = m + (double)query->kernel_h - 1.0, points = side * side, in = (double)query->in,
               out = (double)query->out;
  const double tiles = (double)query->rows * ceil((double)query->height / m) * ceil((double)query->width / m);
  const double bytes = 4.0 * points * in * out;
  const double read = 1e-9 * bytes / (bytes <= costs->l2_bytes ? costs->rates.gbytes_cache : costs->rates.gbytes_ram);
  const double transform = 4e-9 * points * tiles * (in + out) / costs->rates.gbytes_transform;
  return fmax(points * compute_seconds(costs, tiles, in, out) / threads_of(query), read) +
         transform / threads_of(query);
}

static double direct_seconds(const rg_costs *costs, const rg_cost_query *query, double group) {
  const double in = (double)query->in / group, out = (double)query->out / group;
  const double pixels = (double)query->rows * (double)query->height * (double)query->width;
  return group *
         product_seconds(costs, pixels, in * (double)query->kernel_h * (double)query->kernel_w, out, threads_of(query));
}

/* What larger tiles must win by: their weights are larger, their rounding errors too. */
#define WINOGRAD_GAIN 0.9

size_t rg_costs_winograd(const rg_costs *costs, const rg_cost_query *query) {
  const int64_t taps = query->kernel_h;
  if (!query->plain || query->kind != RG_COST_CONV || query->group > 1 || (taps != 3 && taps != 5) ||
      query->kernel_w != taps)
    return 0;
  double best = direct_seconds(costs, query, 1.0);
  size_t chosen = 0;
  for (size_t m = 2; m <= (size_t)(9 - taps); m += 2) {
    const double seconds = winograd_seconds(costs, query, (double)m);
    if (seconds >= WINOGRAD_GAIN * best) continue;
    best = seconds;
    chosen = m;
  }
  return chosen;
}

double rg_costs_milliseconds(const rg_costs *costs, const rg_cost_query *query) {
  const double overhead = 1e-3 * costs->rates.overhead_us;
  const double rows = (double)query->rows, in = (double)query->in, out = (double)query->out;
  if (query->kind == RG_COST_DENSE) return overhead + 1e3 * product_seconds(costs, rows, in, out, threads_of(query));
  const double group = query->group > 0 ? (double)query->group : 1.0;
  if (group > 1.0 && group == in && group == out)
    return overhead + 2e-6 * rows * (double)query->height * (double)query->width * in * (double)query->kernel_h *
                          (double)query->kernel_w / costs->rates.gflops_depthwise;
  const size_t m = rg_costs_winograd(costs, query);
  return overhead + 1e3 * (m > 0 ? winograd_seconds(costs, query, (double)m) : direct_seconds(costs, query, group));
}

/* ---- the file: one JSON object of numbers and the instruction set's name ---- */

typedef struct field {
  const char *name;
  size_t offset;
} field;

#define RATE(name)                                                                                                     \
  { #name, offsetof(rg_costs, rates) + offsetof(rg_kernel_costs, name) }
static const field fields[] = {
    {"mr", offsetof(rg_costs, mr)},
    {"nr", offsetof(rg_costs, nr)},
    {"cache_bytes", offsetof(rg_costs, cache_bytes)},
    {"l2_bytes", offsetof(rg_costs, l2_bytes)},
    RATE(gflops),
    RATE(gflops_half),
    RATE(gflops_row),
    RATE(gflops_depthwise),
    RATE(gbytes_cache),
    RATE(gbytes_ram),
    RATE(gbytes_transform),
    RATE(overhead_us),
};
#define FIELD_COUNT (sizeof fields / sizeof *fields)

rango_status rg_costs_save(const rg_costs *costs, const char *path) {
  rg_file_writer *writer;
  char line[96];
  RG_TRY(rg_file_writer_create(path, &writer));
  rg_file_writer_write(writer, line, (size_t)snprintf(line, sizeof line, "{\n  \"isa\": \"%s\"", costs->isa));
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const double value = *(const double *)((const char *)costs + fields[i].offset);
    rg_file_writer_write(writer, line, (size_t)snprintf(line, sizeof line, ",\n  \"%s\": %.9g", fields[i].name, value));
  }
  rg_file_writer_write(writer, "\n}\n", 3);
  const rango_status status = rg_file_writer_commit(writer);
  rg_file_writer_free(writer);
  return status;
}

/* What follows "name" and a colon in `text`, or NULL. Names don't occur as values in this file. */
static const char *value_of(const char *text, const char *name) {
  char quoted[40];
  snprintf(quoted, sizeof quoted, "\"%s\"", name);
  const char *at = strstr(text, quoted);
  if (at == NULL) return NULL;
  at += strlen(quoted);
  at += strspn(at, " \t\r\n");
  if (*at != ':') return NULL;
  at++;
  return at + strspn(at, " \t\r\n");
}

static rango_status read_isa(const char *path, const char *text, rg_costs *costs) {
  const char *value = value_of(text, "isa");
  const size_t length = value != NULL && *value == '"' ? strcspn(value + 1, "\"\\\n") : RG_COSTS_ISA;
  RG_FAIL_IF(length >= RG_COSTS_ISA || value[1 + length] != '"', RANGO_ERROR_FORMAT,
             "%s: no \"isa\": is it a file of `rango tune`?", path);
  memcpy(costs->isa, value + 1, length);
  return RANGO_OK;
}

static rango_status read_text(const char *path, const char *text, rg_costs *costs) {
  RG_TRY(read_isa(path, text, costs));
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const char *value = value_of(text, fields[i].name);
    char *end = NULL;
    const double number = value != NULL ? strtod(value, &end) : 0.0;
    RG_FAIL_IF(value == NULL || end == value || !isfinite(number) || number <= 0.0, RANGO_ERROR_FORMAT,
               "%s: \"%s\" is missing or not a positive number: run `rango tune` again", path, fields[i].name);
    *(double *)((char *)costs + fields[i].offset) = number;
  }
  return RANGO_OK;
}

rango_status rg_costs_load(const char *path, rg_costs **out) {
  rg_buffer *file;
  rg_costs *costs = NULL;
  char *text = NULL;
  rango_status status = RANGO_OK;
  *out = NULL;
  RG_TRY(rg_file_map(path, &file));
  const size_t bytes = rg_buffer_bytes(file);
  if (bytes > FILE_BYTES_MAX) {
    status = rg_fail(RANGO_ERROR_LIMIT, "%s: %zu bytes are too many for a file of `rango tune`", path, bytes);
    goto done;
  }
  RG_TRY_DONE(rg_calloc(bytes + 1, 1, RG_OUT(&text)));
  memcpy(text, rg_buffer_data(file), bytes);
  RG_TRY_DONE(rg_calloc(1, sizeof *costs, RG_OUT(&costs)));
  RG_TRY_DONE(read_text(path, text, costs));
  *out = costs;
  costs = NULL;
done:
  rg_free(costs);
  rg_free(text);
  rg_buffer_release(file);
  return status;
}
