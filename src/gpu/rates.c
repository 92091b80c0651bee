/*
 *   rango tiles 1
 *   device NAME
 *   driver DRIVER
 *   units 132
 *   product_128 5f3a... 900000 740000
 *
 * A tile's line has a hash of its shader, as times are those of its code, and picoseconds, alone and busy: whole
 * numbers are read the same in every language's locale.
 */
#include "gpu/rates.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "gpu/product.h"

#define ENDING      "tiles"
#define BYTES_MOST  4096
#define PICOSECONDS 1e6  /* of a microsecond */
#define NUMBER_MOST 1e15 /* picoseconds */

/* What stands above the tiles. */
static void write_head(const rg_gpu_info *info, char text[BYTES_MOST]) {
  snprintf(text, BYTES_MOST, "rango tiles 1\ndevice %s\ndriver %s\nunits %u\n", info->name, info->driver, info->units);
}

/* What stands before a tile's numbers. */
static void write_tile(int index, char text[96]) {
  const rg_gpu_shader *shader = &rg_gpu_shaders[rg_gpu_tile_get(index).shader];
  uint64_t hash = rg_hash(RG_HASH_START, shader->spirv, shader->spirv ? shader->spirv_bytes : 0);
  if (shader->msl.source) hash = rg_hash(hash, shader->msl.source, strlen(shader->msl.source));
  if (shader->msl_matrices.source)
    hash = rg_hash(hash, shader->msl_matrices.source, strlen(shader->msl_matrices.source));
  snprintf(text, 96, "%s %016" PRIx64 " ", shader->name, hash);
}

/* ---- reading ---- */

/* Moves `*at` behind `text` if that stands there. */
static bool skip(const char **at, const char *text) {
  const size_t length = strlen(text);
  if (strncmp(*at, text, length) != 0) return false;
  *at += length;
  return true;
}

/* A positive number of digits, and `end` behind it. */
static bool take(const char **at, char end, double *microseconds) {
  char *behind;
  if (**at < '0' || **at > '9') return false;
  errno = 0;
  const long long number = strtoll(*at, &behind, 10);
  if (errno != 0 || number <= 0 || (double)number > NUMBER_MOST || *behind != end) return false;
  *microseconds = (double)number / PICOSECONDS;
  *at = behind + 1;
  return true;
}

static bool parse(const rg_gpu_info *info, const char *text, rg_gpu_rate rates[RG_GPU_TILES]) {
  char head[BYTES_MOST], name[96];
  write_head(info, head);
  if (!skip(&text, head)) return false;
  for (int i = 0; i < RG_GPU_TILES; i++) {
    write_tile(i, name);
    if (!skip(&text, name) || !take(&text, ' ', &rates[i].alone) || !take(&text, '\n', &rates[i].busy)) return false;
  }
  return *text == '\0';
}

bool rg_gpu_rates_read(const rg_gpu_info *info, rg_gpu_rate rates[RG_GPU_TILES]) {
  char path[RG_GPU_CACHE_PATH], text[BYTES_MOST];
  rg_buffer *file;
  rg_gpu_cache_path(info, ENDING, path);
  if (!path[0] || rg_file_map(path, &file) != RANGO_OK) return false;
  const size_t bytes = rg_buffer_bytes(file);
  bool read = bytes < sizeof text && !memchr(rg_buffer_data(file), '\0', bytes);
  if (read) {
    memcpy(text, rg_buffer_data(file), bytes);
    text[bytes] = '\0';
    read = parse(info, text, rates);
  }
  rg_buffer_release(file);
  if (!read) rg_log(RANGO_LOG_WARNING, "%s is ignored: it is damaged, or of another version or device", path);
  return read;
}

/* ---- writing ---- */

rango_status rg_gpu_rates_write(const rg_gpu_info *info, const rg_gpu_rate rates[RG_GPU_TILES],
                                char path[RG_GPU_CACHE_PATH]) {
  char text[BYTES_MOST], name[96], line[160];
  rg_file_writer *writer;
  rg_gpu_cache_path(info, ENDING, path);
  RG_FAIL_IF(!path[0], RANGO_ERROR_IO, "there is no folder for the result: set HOME or XDG_CACHE_HOME");
  RG_TRY(rg_gpu_cache_folders(path));
  RG_TRY(rg_file_writer_create(path, &writer));
  write_head(info, text);
  rg_file_writer_write(writer, text, strlen(text));
  for (int i = 0; i < RG_GPU_TILES; i++) {
    write_tile(i, name);
    const double alone = fmax(round(rates[i].alone * PICOSECONDS), 1),
                 busy = fmax(round(rates[i].busy * PICOSECONDS), 1);
    snprintf(line, sizeof line, "%s%.0f %.0f\n", name, fmin(alone, NUMBER_MOST), fmin(busy, NUMBER_MOST));
    rg_file_writer_write(writer, line, strlen(line));
  }
  const rango_status status = rg_file_writer_commit(writer);
  rg_file_writer_free(writer);
  return status;
}
