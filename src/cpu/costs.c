/*
 * Milliseconds of a layer, from a few rates that `rango tune` measures:
 *
 *   overhead + sqrt((multiply-adds / rate + tiles + pointers to windows)^2 + (bytes / bandwidth)^2)
 *
 * Multiply-adds are those that the kernels do: columns come in panels, half panels and, where they are few, groups of
 * four; a tile takes a little beside them, which shows where a rank is small. Bytes are the weights, the input and the
 * output, each once, at the bandwidth of the cache that holds them all. A 3 x 3 convolution takes the faster of that
 * and Winograd's method: products of fewer rows, plus its transforms' bytes.
 */
#include "cpu/costs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_features.h"
#include "base/file.h"
#include "cpu/winograd.h"

#define FILE_BYTES_MAX 65536
#define CACHE_SHARE    0.75 /* of a cache that an operand may take and stay there */

void rg_costs_init(rg_costs *costs, const rg_kernels *kernels) {
  const rg_cpu *cpu = rg_cpu_features();
  *costs = (rg_costs){
      .mr = (double)kernels->mr, .nr = (double)kernels->nr, .narrow = (double)kernels->narrow, .rates = kernels->costs};
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

/* Seconds of the multiply-adds of rows x k x n, and of what each tile takes beside them. */
static double compute_seconds(const rg_costs *costs, double rows, double k, double n) {
  const rg_kernel_costs *rates = &costs->rates;
  const double macs = rows * k, tile = 1e-9 * rates->tile_ns * ceil(rows / costs->mr);
  const double rest = fmod(n, costs->nr), groups = ceil(rest / 4.0);
  const bool narrow = rest <= costs->narrow && k >= 32.0 * groups; /* as rg_pack_is_narrow */
  const double whole = floor(n / costs->nr) + (rest > costs->nr / 2.0 && !narrow ? 1.0 : 0.0);
  const double seconds = whole * (2e-9 * macs * costs->nr / rates->gflops + tile);
  if (rest == 0.0 || (rest > costs->nr / 2.0 && !narrow)) return seconds;
  if (narrow) return seconds + groups * (8e-9 * macs / rates->gflops_narrow + 1e-9 * rates->narrow_ns * rows);
  return seconds + 1e-9 * macs * costs->nr / rates->gflops_half + tile;
}

static double threads_of(const rg_cost_query *query) { return query->threads > 1 ? (double)query->threads : 1.0; }

/* Two cores read memory 1.2 to 2 times as fast as one. */
static double memory_gbytes(const rg_costs *costs, const rg_cost_query *query) {
  return costs->rates.gbytes_ram * sqrt(threads_of(query));
}

static double read_seconds(const rg_costs *costs, const rg_cost_query *query, double floats) {
  const double bytes = 4.0 * floats;
  const rg_kernel_costs *rates = &costs->rates;
  return 1e-9 * bytes /
         (bytes <= CACHE_SHARE * costs->l2_bytes ? rates->gbytes_l2
          : bytes <= costs->cache_bytes          ? rates->gbytes_cache
                                                 : memory_gbytes(costs, query));
}

/* Multiply-adds and reading overlap, though not wholly where they take alike. */
static double together(double compute, double read) { return hypot(compute, read); }

/* Points that a tile is multiplied at; an image of two pixels a side is taken to lie in a border of zeros
 * (rg_winograd_needs). */
static double winograd_points(const rg_cost_query *query, double m) {
  const int64_t h = query->kernel_h, w = query->kernel_w, taps = h > w ? h : w;
  const bool bordered = m == 2.0 && taps == 3 && (h == 1 || query->height == 2) && (w == 1 || query->width == 2);
  const double side = bordered ? 3.0 : m + (double)taps - 1.0;
  return h > 1 && w > 1 ? side * side : side;
}

/* Its weights are so large that a network's don't stay in the last-level cache from one run to the next: more than the
 * second-level cache holds comes from memory. Windows of a block that exceed that cache are read again for each panel
 * of output channels. */
static double winograd_seconds(const rg_costs *costs, const rg_cost_query *query, double m) {
  const double in = (double)query->in, out = (double)query->out, threads = threads_of(query);
  const double tall = query->kernel_h > 1 ? m : 1.0, wide = query->kernel_w > 1 ? m : 1.0; /* a tile */
  const double points = winograd_points(query, m);
  const double tiles = (double)query->rows * ceil((double)query->height / tall) * ceil((double)query->width / wide);
  const double bytes = 4.0 * points * in * out, windows = 4.0 * points * in; /* of the weights; of a tile */
  const bool few = bytes <= costs->l2_bytes;
  const bool apart = rg_winograd_divides_channels(tiles, out, few, threads, costs->mr);
  const double block = fmin(apart ? tiles : tiles / threads, RG_WINOGRAD_BLOCK_MIN);
  const double read = 1e-9 * bytes / (few ? costs->rates.gbytes_cache : memory_gbytes(costs, query));
  const double again = block * windows > CACHE_SHARE * costs->l2_bytes
                           ? 1e-9 * tiles * windows * ceil(out / costs->nr) / costs->rates.gbytes_cache
                           : 0.0;
  const double lanes = costs->nr / 2.0; /* transforms take whole vectors of channels */
  const double channels = lanes * (ceil(in / lanes) + ceil(out / lanes));
  const double transform = 4e-9 * points * tiles * channels / costs->rates.gbytes_transform;
  rg_costs panels = *costs; /* its weights are packed in panels alone */
  panels.narrow = 0.0;
  return fmax((points * compute_seconds(&panels, tiles, in, out) + again) / threads, read) + transform / threads;
}

/* Seconds of finding a convolution's windows: pointers to their runs, and runs that are copied at the image's border or
 * because a group's channels are too few for a pointer. */
static double window_seconds(const rg_costs *costs, const rg_cost_query *query, double group) {
  const double pixels = (double)query->rows * (double)query->height * (double)query->width;
  const double taps = (double)query->kernel_h * (double)query->kernel_w, in = (double)query->in / group;
  if (taps == 1.0) return 0.0;
  if (group == 1.0 && in < RG_CONV_FEW_CHANNELS) { /* a run a row of the window */
    const double border = fmin(1.0, ((double)query->kernel_w - 1.0) / (double)query->width);
    return 1e-9 * pixels * (double)query->kernel_h * (costs->rates.pointer_ns + border * costs->rates.copy_ns);
  }
  if (in < RG_CONV_VERY_FEW_CHANNELS) return 1e-9 * pixels * group * taps * costs->rates.pointer_ns * (1.0 + in / 8.0);
  return 1e-9 * pixels * group * taps * costs->rates.pointer_ns;
}

static double direct_seconds(const rg_costs *costs, const rg_cost_query *query, double group) {
  const double in = (double)query->in / group, out = (double)query->out / group;
  const double pixels = (double)query->rows * (double)query->height * (double)query->width;
  const double k = in * (double)query->kernel_h * (double)query->kernel_w;
  const double compute = group * compute_seconds(costs, pixels, k, out) + window_seconds(costs, query, group);
  return together(compute / threads_of(query), read_seconds(costs, query, group * (k * out + pixels * (in + out))));
}

/* One channel in and one out a group. */
static double depthwise_seconds(const rg_costs *costs, const rg_cost_query *query) {
  const double values = (double)query->rows * (double)query->height * (double)query->width * (double)query->in;
  const double taps = (double)query->kernel_h * (double)query->kernel_w;
  return together(2e-9 * values * taps / costs->rates.gflops_depthwise / threads_of(query),
                  read_seconds(costs, query, 2.0 * values));
}

static double dense_seconds(const rg_costs *costs, const rg_cost_query *query) {
  const double rows = (double)query->rows, in = (double)query->in, out = (double)query->out;
  return together(compute_seconds(costs, rows, in, out) / threads_of(query),
                  read_seconds(costs, query, in * out + rows * (in + out)));
}

/* What larger tiles must win by: their weights are larger, their rounding errors too. */
#define WINOGRAD_GAIN 0.9

size_t rg_costs_winograd(const rg_costs *costs, const rg_cost_query *query) {
  const int64_t h = query->kernel_h, w = query->kernel_w, taps = h > w ? h : w;
  if (!query->plain || query->kind != RG_COST_CONV || query->group > 1 || (taps != 3 && taps != 5) ||
      (h != w && h != 1 && w != 1))
    return 0;
  if ((double)query->in < costs->nr / 4.0) return 0;    /* a first layer's few channels leave vectors empty */
  if (query->out <= 4 && costs->narrow > 0.0) return 0; /* so would the transforms of a rank of 4 */
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

/* Groups that are left when the convolution has made one of several (groups_merged of conv.c). */
static int64_t groups_left(const rg_costs *costs, const rg_cost_query *query) {
  const int64_t groups = query->group > 0 ? query->group : 1, in = query->in / groups, out = query->out / groups;
  int64_t merged = groups > 1 && out > 0 && in <= RG_CONV_MERGED_INPUTS ? (int64_t)(costs->nr / 2.0) / out : 1;
  while (merged > 1 && (groups % merged != 0 || merged * in > RG_CONV_MERGED_INPUTS)) merged--;
  return merged > 1 ? groups / merged : groups;
}

double rg_costs_milliseconds(const rg_costs *costs, const rg_cost_query *query) {
  const double overhead = 1e-3 * costs->rates.overhead_us;
  if (query->kind == RG_COST_DENSE) return overhead + 1e3 * dense_seconds(costs, query);
  const int64_t group = query->group > 0 ? query->group : 1;
  if (group > 1 && group == query->in && group == query->out) return overhead + 1e3 * depthwise_seconds(costs, query);
  const size_t m = rg_costs_winograd(costs, query);
  return overhead + 1e3 * (m > 0 ? winograd_seconds(costs, query, (double)m)
                                 : direct_seconds(costs, query, (double)groups_left(costs, query)));
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
    {"narrow", offsetof(rg_costs, narrow)},
    {"cache_bytes", offsetof(rg_costs, cache_bytes)},
    {"l2_bytes", offsetof(rg_costs, l2_bytes)},
    RATE(gflops),
    RATE(gflops_half),
    RATE(gflops_narrow),
    RATE(gflops_depthwise),
    RATE(gbytes_l2),
    RATE(gbytes_cache),
    RATE(gbytes_ram),
    RATE(gbytes_transform),
    RATE(tile_ns),
    RATE(narrow_ns),
    RATE(pointer_ns),
    RATE(copy_ns),
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
    RG_FAIL_IF(value == NULL || end == value || !isfinite(number) || number < 0.0 ||
                   (number == 0.0 && fields[i].offset != offsetof(rg_costs, narrow)),
               RANGO_ERROR_FORMAT, "%s: \"%s\" is missing or not a positive number: run `rango tune` again", path,
               fields[i].name);
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
