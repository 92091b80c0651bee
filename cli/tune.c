/* rango tune: this machine's costs, or a GPU's tiles */
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "output.h"
#include "progress.h"
#include "session.h"

/* ---- a GPU ---- */

static void print_tiles_json(const char *device, const rango_gpu_tuning *tuning) {
  cJSON *root = json_object(), *tiles = json_array();
  json_text(root, "device", device);
  json_text(root, "file", tuning->file);
  for (size_t i = 0; i < tuning->tile_count; i++) {
    const rango_gpu_tile *tile = &tuning->tiles[i];
    cJSON *item = json_object();
    json_text(item, "name", tile->name);
    json_add(item, "pair", cJSON_CreateBool(tile->pair));
    json_integer(item, "rows", tile->rows);
    json_integer(item, "columns", tile->columns);
    json_integer(item, "depth", tile->depth);
    json_number(item, "alone_us", tile->alone_us);
    json_number(item, "busy_us", tile->busy_us);
    json_number(item, "alone_us_before", tile->alone_us_before);
    json_number(item, "busy_us_before", tile->busy_us_before);
    json_add(tiles, NULL, item);
  }
  json_add(root, "tiles", tiles);
  json_print(root);
}

static void print_tiles(const char *device, const rango_gpu_tuning *tuning) {
  static const char *const titles[] = {"tile", "rows", "columns", "depth", "alone us", "before", "busy us", "before"};
  table *t = table_create(8, titles, "lrrrrrrr");
  for (size_t i = 0; i < tuning->tile_count; i++) {
    const rango_gpu_tile *tile = &tuning->tiles[i];
    table_cell(t, "%s", tile->name);
    table_cell(t, "%d", tile->rows);
    table_cell(t, "%d", tile->columns);
    table_cell(t, "%d", tile->depth);
    table_cell(t, "%.3g", tile->alone_us);
    table_cell(t, "%.3g", tile->alone_us_before);
    table_cell(t, "%.3g", tile->busy_us);
    table_cell(t, "%.3g", tile->busy_us_before);
  }
  table_print(t);
  table_free(t);
  printf("%s written: %s chooses its tiles by it from now on\n", tuning->file, device);
}

static int tune_gpu(rango_device kind, int gpu, bool json, bool quiet) {
  rango_gpu_tuning tuning = {.struct_size = sizeof tuning};
  char device[32];
  if (rango_gpu_tune(kind, gpu, &tuning) != RANGO_OK) return report_failure();
  session_device_text(kind, gpu, device);
  if (json)
    print_tiles_json(device, &tuning);
  else if (!quiet)
    print_tiles(device, &tuning);
  return EXIT_DONE;
}

/* ---- the CPU ---- */

static int tune_cpu(const char *path, int threads, bool json, bool quiet) {
  rango_status status = rango_tune(path, threads, progress_show, NULL);
  progress_clear();
  if (status != RANGO_OK) return report_failure();
  if (json) {
    cJSON *root = json_object();
    json_text(root, "file", path);
    json_integer(root, "threads", threads);
    json_print(root);
  } else if (!quiet) {
    printf("%s written: use it with 'rango compress --costs %s'\n", path, path);
  }
  return EXIT_DONE;
}

int command_tune(int count, char **arguments) {
  bool json = false, quiet = false;
  const char *path = NULL, *device = "cpu";
  int64_t threads = -1;
  const option options[] = {
      {"output", 'o', OPTION_TEXT, &path, "FILE", "where to write the costs [rango-costs.json]", 0, 0},
      {"threads", 0, OPTION_INT, &threads, "N", "threads that layers will run on; 0: one a core [1]", 0, 1024},
      {"device", 0, OPTION_TEXT, &device, "DEVICE", "vulkan[:N], metal[:N]: measure this GPU's tiles [cpu]", 0, 0},
      COMMON_OPTIONS(&json, &quiet),
  };
  const command *self = args_find_command("tune");
  rango_device kind;
  int code, gpu;
  if (!args_parse(self, options, sizeof options / sizeof *options, count, arguments, NULL, 0, 0, &code)) return code;
  if (!session_device(device, &kind, &gpu) || kind == RANGO_DEVICE_REFERENCE)
    return args_wrong(self, "--device: '%s' is none of cpu, vulkan, vulkan:N, metal, metal:N", device);
  if (quiet) progress_hide();
  if (kind == RANGO_DEVICE_CPU)
    return tune_cpu(path ? path : "rango-costs.json", threads < 0 ? 1 : (int)threads, json, quiet);
  if (path || threads >= 0)
    return args_wrong(self, "--device %s takes no --output and no --threads: a GPU's figures go into the cache folder",
                      device);
  return tune_gpu(kind, gpu, json, quiet);
}
