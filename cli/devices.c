/* rango devices */
#include <stdio.h>

#include "args.h"
#include "commands.h"
#include "output.h"

static int print_json(const rango_cpu_info *cpu) {
  cJSON *root = json_object(), *part = json_object();
  json_text(part, "architecture", cpu->architecture);
  json_text(part, "features", cpu->features);
  json_text(part, "isa", cpu->isa);
  json_integer(part, "cores", cpu->cores);
  json_count(part, "l1_bytes", cpu->l1_bytes ? (int64_t)cpu->l1_bytes : -1);
  json_count(part, "l2_bytes", cpu->l2_bytes ? (int64_t)cpu->l2_bytes : -1);
  json_count(part, "l3_bytes", cpu->l3_bytes ? (int64_t)cpu->l3_bytes : -1);
  json_add(root, "cpu", part);
  json_add(root, "gpus", json_array());
  json_print(root);
  return EXIT_DONE;
}

static void print_cache(const char *name, size_t bytes) {
  if (bytes) printf("  %-14s %zu kB\n", name, bytes / 1024);
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
  printf("gpu\n  not built yet\n");
  return EXIT_DONE;
}
