/* rango devices */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "blas.h"
#include "commands.h"
#include "output.h"

static const struct {
  rango_device kind;
  const char *name;
} gpu_kinds[] = {{RANGO_DEVICE_METAL, "metal"}, {RANGO_DEVICE_VULKAN, "vulkan"}};

/* Calls `see` with every GPU. Where there is none, `reason` says why. */
static void each_gpu(void (*see)(const char *device, const rango_gpu_info *info, void *user), void *user,
                     char reason[512]) {
  bool tried = false;
  int found = 0;
  reason[0] = '\0';
  for (size_t k = 0; k < sizeof gpu_kinds / sizeof *gpu_kinds; k++) {
    int count;
    if (rango_gpu_count(gpu_kinds[k].kind, &count) != RANGO_OK) {
      if (!tried) snprintf(reason, 512, "%s", rango_error_message());
      continue;
    }
    if (count == 0) snprintf(reason, 512, "%s finds no device: is its driver installed?", gpu_kinds[k].name);
    tried = true;
    for (int i = 0; i < count; i++) {
      rango_gpu_info info = {.struct_size = sizeof info};
      char device[32];
      if (rango_gpu_get_info(gpu_kinds[k].kind, i, &info) != RANGO_OK) {
        snprintf(reason, 512, "%s", rango_error_message());
        continue;
      }
      snprintf(device, sizeof device, "%s:%d", gpu_kinds[k].name, i);
      see(device, &info, user);
      found++;
    }
  }
  if (found > 0) reason[0] = '\0';
}

/* ---- JSON ---- */

static void add_gpu(const char *device, const rango_gpu_info *info, void *list) {
  cJSON *gpu = json_object(), *axes = json_array();
  json_text(gpu, "device", device);
  json_text(gpu, "name", info->name);
  json_text(gpu, "driver", info->driver);
  json_add(gpu, "software", cJSON_CreateBool(info->software));
  json_add(gpu, "unified", cJSON_CreateBool(info->unified));
  json_add(gpu, "half", cJSON_CreateBool(info->half));
  json_add(gpu, "timestamps", cJSON_CreateBool(info->timestamps));
  json_add(gpu, "tuned", cJSON_CreateBool(info->tuned));
  json_integer(gpu, "memory_bytes", (int64_t)info->memory_bytes);
  json_integer(gpu, "binding_bytes", (int64_t)info->binding_bytes);
  for (int i = 0; i < 3; i++) json_integer(axes, NULL, info->group_count[i]);
  json_add(gpu, "group_count", axes);
  json_integer(gpu, "group_threads", info->group_threads);
  json_integer(gpu, "shared_bytes", info->shared_bytes);
  json_count(gpu, "units", info->units ? (int64_t)info->units : -1);
  json_add(list, NULL, gpu);
}

static int print_json(const rango_cpu_info *cpu) {
  cJSON *root = json_object(), *part = json_object(), *gpus = json_array();
  char reason[512];
  json_text(part, "architecture", cpu->architecture);
  json_text(part, "features", cpu->features);
  json_text(part, "isa", cpu->isa);
  json_integer(part, "cores", cpu->cores);
  json_count(part, "l1_bytes", cpu->l1_bytes ? (int64_t)cpu->l1_bytes : -1);
  json_count(part, "l2_bytes", cpu->l2_bytes ? (int64_t)cpu->l2_bytes : -1);
  json_count(part, "l3_bytes", cpu->l3_bytes ? (int64_t)cpu->l3_bytes : -1);
  json_text(part, "linear_algebra", blas_kernels());
  json_add(root, "cpu", part);
  each_gpu(add_gpu, gpus, reason);
  json_add(root, "gpus", gpus);
  json_text(root, "gpu_reason", reason[0] ? reason : NULL);
  json_print(root);
  return EXIT_DONE;
}

/* ---- text ---- */

static void print_line(const char *name, const char *text) { printf("  %-14s %s\n", name, text); }

static void print_cache(const char *name, size_t bytes) {
  if (bytes) printf("  %-14s %zu kB\n", name, bytes / 1024);
}

static void print_gpu(const char *device, const rango_gpu_info *info, void *user) {
  printf("%s%s\n", device, info->software ? " (software: computes on the CPU)" : "");
  print_line("name", info->name);
  print_line("driver", info->driver);
  print_line("memory", text_bytes((int64_t)info->memory_bytes));
  if (info->unified) print_line("", "shared with the CPU");
  print_line("largest tensor", text_bytes((int64_t)info->binding_bytes));
  if (info->units) printf("  %-14s %u\n", "units", info->units);
  printf("  %-14s %u threads, %s shared; %u x %u x %u at once\n", "groups", info->group_threads,
         text_bytes(info->shared_bytes), info->group_count[0], info->group_count[1], info->group_count[2]);
  print_line("float16", info->half ? "yes" : "no");
  print_line("tuned", info->tuned ? "yes" : info->timestamps ? "no: see 'rango tune --device'" : "no");
}

int command_devices(int count, char **arguments) {
  bool json = false, quiet = false;
  const option options[] = {COMMON_OPTIONS(&json, &quiet)};
  int code;
  if (!args_parse(args_find_command("devices"), options, sizeof options / sizeof *options, count, arguments, NULL, 0, 0,
                  &code))
    return code;
  rango_cpu_info cpu = {.struct_size = sizeof cpu};
  if (rango_cpu_get_info(&cpu) != RANGO_OK) return report_failure();
  if (json) return print_json(&cpu);
  printf("cpu\n  %-14s %s\n  %-14s %s\n  %-14s %s\n  %-14s %d\n", "architecture", cpu.architecture, "features",
         cpu.features, "kernels", cpu.isa, "cores", cpu.cores);
  print_cache("L1 data", cpu.l1_bytes);
  print_cache("L2", cpu.l2_bytes);
  print_cache("L3", cpu.l3_bytes);
  if (blas_kernels()) printf("  %-14s OpenBLAS, kernels of %s\n", "linear algebra", blas_kernels());
  char reason[512];
  each_gpu(print_gpu, NULL, reason);
  if (reason[0]) printf("gpu\n  none: %s\n", reason);
  return EXIT_DONE;
}
