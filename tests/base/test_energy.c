/* Energy meters on recorded counters: a powercap folder, a stand-in for NVML, powermetrics' text. */
#include <math.h>

#include "base/energy.h"
#include "support/check.h"
#include "support/folder.h"

static char folder[64];

static int make_folder(void **state) {
  folder_make(folder);
  return 0;
}

static int remove_folder(void **state) {
  folder_remove(folder);
  return 0;
}

#define check_joules(meter, expected)                                                                                  \
  do {                                                                                                                 \
    double joules_;                                                                                                    \
    check_ok((meter)->read((meter), &joules_));                                                                        \
    if (fabs(joules_ - (expected)) > 1e-9) fail_msg("%.12g J, not %.12g", joules_, (double)(expected));                \
  } while (0)

/* ---- RAPL ---- */

static const char *const zone_files[] = {"name", "energy_uj", "max_energy_range_uj"};

static void set_zone(const char *zone, const char *file, const char *text) {
  char name[128];
  mkdir(folder_path(folder, zone), 0700);
  snprintf(name, sizeof name, "%s/%s", zone, file);
  folder_write(folder, name, text, strlen(text));
}

static void make_zone(const char *zone, const char *name, const char *energy) {
  set_zone(zone, "name", name);
  set_zone(zone, "energy_uj", energy);
  set_zone(zone, "max_energy_range_uj", "262143328850\n");
}

static void remove_zone(const char *zone) {
  char path[128];
  for (size_t i = 0; i < sizeof zone_files / sizeof *zone_files; i++) {
    snprintf(path, sizeof path, "%s/%s", zone, zone_files[i]);
    unlink(folder_path(folder, path));
  }
  rmdir(folder_path(folder, zone));
}

/* Two packages, one with memory; cores, the whole board and the other interface's twin don't count again. */
static void test_rapl(void **state) {
  static const char *const zones[] = {"intel-rapl:0",   "intel-rapl:1", "intel-rapl:0:0",
                                      "intel-rapl:0:1", "intel-rapl:2", "intel-rapl-mmio:0"};
  rango_meter *meter;
  make_zone(zones[0], "package-0\n", "1000000\n");
  make_zone(zones[1], "package-1\n", "262143000000\n");
  make_zone(zones[2], "core\n", "500000\n");
  make_zone(zones[3], "dram\n", "0\n");
  make_zone(zones[4], "psys\n", "0\n");
  make_zone(zones[5], "package-0\n", "1000000\n");
  check_ok(rg_meter_rapl(folder, &meter));
  check_joules(meter, 0);
  for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
    if (i != 1) set_zone(zones[i], "energy_uj", "3500000\n");
  set_zone(zones[1], "energy_uj", "671150\n"); /* wrapped around: 328850 + 671150 */
  check_joules(meter, 2.5 + 3.5 + 1.0);
  check_joules(meter, 7.0);
  set_zone(zones[1], "energy_uj", "1671150\n");
  check_joules(meter, 8.0);
  set_zone(zones[0], "energy_uj", "nonsense\n");
  double joules;
  check_fails(meter->read(meter, &joules), RANGO_ERROR_UNSUPPORTED, "intel-rapl:0/energy_uj");
  meter->free(meter);
  for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) remove_zone(zones[i]);
}

static void test_rapl_missing(void **state) {
  rango_meter *meter;
  check_fails(rg_meter_rapl(folder_path(folder, "nowhere"), &meter), RANGO_ERROR_UNSUPPORTED, "no energy counter");
  assert_null(meter);
  check_fails(rg_meter_rapl(folder, &meter), RANGO_ERROR_UNSUPPORTED, "no package");
  make_zone("intel-rapl:0", "package-0\n", "1\n");
  chmod(folder_path(folder, "intel-rapl:0/energy_uj"), 0);
  if (geteuid() != 0) check_fails(rg_meter_rapl(folder, &meter), RANGO_ERROR_UNSUPPORTED, "Permission denied");
  unlink(folder_path(folder, "intel-rapl:0/energy_uj"));
  check_fails(rg_meter_rapl(folder, &meter), RANGO_ERROR_UNSUPPORTED, "No such file");
  assert_null(meter);
  remove_zone("intel-rapl:0");
}

/* ---- NVML ---- */

static void test_nvml(void **state) {
  static const uint8_t uuid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}, other[16] = {1};
  rango_meter *meter;
  for (int i = 0; i < 2; i++) { /* the second time after a shutdown */
    check_ok(rg_meter_nvml(FAKE_NVML, uuid, &meter));
    check_joules(meter, 2.5);
    check_joules(meter, 5.0);
    meter->free(meter);
  }
  check_fails(rg_meter_nvml(FAKE_NVML, other, &meter), RANGO_ERROR_UNSUPPORTED, "Not Found");
  assert_null(meter);
  check_fails(rg_meter_nvml("/nowhere/libnvidia-ml.so.1", uuid, &meter), RANGO_ERROR_UNSUPPORTED, "no NVIDIA driver");
  check_fails(rg_meter_nvml("libc.so.6", uuid, &meter), RANGO_ERROR_UNSUPPORTED, "");
}

/* ---- powermetrics ---- */

#define SAMPLE(length, cpu, gpu)                                                                                       \
  "*** Sampled system activity (Fri Sep 11 13:41:46 2026 -0700) (" length "ms elapsed) ***\n\n\n"                      \
  "**** Processor usage ****\n\nE-Cluster HW active frequency: 1248 MHz\nCPU 0 frequency: 1359 MHz\n\n"                \
  "CPU Power: " cpu " mW\nGPU Power: " gpu " mW\nANE Power: 323 mW\n"                                                  \
  "Combined Power (CPU + GPU + ANE): 1172 mW\n\n**** GPU usage ****\n\nGPU Power: " gpu " mW\n\n\n"
#define HEADER "Machine model: Mac14,2\nOS version: 25C56\nBoot arguments: \n\n\n"

static void test_powermetrics_text(void **state) {
  static const char text[] =
      HEADER SAMPLE("1002.90", "823", "26") SAMPLE("100.00", "2000", "500") SAMPLE("99", "7", "7");
  const char *rest;
  int samples;
  assert_true(fabs(rg_powermetrics_joules(text, false, &rest, &samples) - (1.0029 * 0.823 + 0.2)) < 1e-12);
  assert_int_equal(samples, 2);
  assert_true(strncmp(rest, "*** Sampled", 11) == 0 && strstr(rest, "(99ms")); /* may go on */
  assert_true(fabs(rg_powermetrics_joules(text, true, &rest, &samples) - (1.0029 * 0.026 + 0.05)) < 1e-12);

  static const char intel[] =
      "*** Sampled system activity (Mon Mar  4 10:00:00 2024 +0100) (500.00ms elapsed) ***\n\n"
      "**** Processor usage ****\n\nIntel energy model derived package power (CPUs+GT+SA): 2.48W\n"
      "\n*** Sampled system activity (";
  assert_true(fabs(rg_powermetrics_joules(intel, false, &rest, &samples) - 1.24) < 1e-12);
  assert_true(rg_powermetrics_joules(intel, true, &rest, &samples) == 0);

  assert_true(rg_powermetrics_joules("nothing", false, &rest, &samples) == 0 && samples == 0);
  assert_string_equal(rest, "nothing");
}

/* In the place of the system's program. */
static void write_program(const char *name, const char *script) {
  folder_write(folder, name, script, strlen(script));
  chmod(folder_path(folder, name), 0700);
}

static void test_powermetrics(void **state) {
  rango_meter *meter;
  write_program("powermetrics",
                "#!/bin/sh\nfor power in 1000 2000 4000 9000; do\n"
                "echo '*** Sampled system activity (now) (100.00ms elapsed) ***'\n"
                "echo; echo \"CPU Power: $power mW\"; echo 'GPU Power: 10 mW'; sleep 0.2\ndone\nsleep 60\n");
  check_ok(rg_meter_powermetrics(folder_path(folder, "powermetrics"), false, &meter)); /* takes the first: 1000 mW */
  check_joules(meter, 0.2);
  check_joules(meter, 0.2 + 0.4);
  meter->free(meter); /* ends the program */

  write_program("silent", "#!/bin/sh\necho 'powermetrics must be invoked as the superuser' >&2\nexit 1\n");
  check_fails(rg_meter_powermetrics(folder_path(folder, "silent"), false, &meter), RANGO_ERROR_UNSUPPORTED, "root");
  assert_null(meter);
  check_fails(rg_meter_powermetrics(folder_path(folder, "nowhere"), false, &meter), RANGO_ERROR_UNSUPPORTED,
              "can't be run");
}

/* ---- this machine ---- */

static void test_here(void **state) {
  rango_meter *meter;
  double first, second;
  const rango_status status = rango_meter_create(RANGO_DEVICE_CPU, 0, &meter);
  if (status == RANGO_OK) {
    check_ok(rango_meter_read(meter, &first));
    check_ok(rango_meter_read(meter, &second));
    assert_true(first >= 0 && second >= first);
  } else {
    assert_int_equal(status, RANGO_ERROR_UNSUPPORTED);
    assert_true(rango_error_message()[0] != '\0');
    assert_null(meter);
  }
  rango_meter_free(meter);
  rango_meter_free(NULL);
  check_fails(rango_meter_create(RANGO_DEVICE_CPU, 0, NULL), RANGO_ERROR_ARGUMENT, "NULL");
  check_fails(rango_meter_create((rango_device)99, 0, &meter), RANGO_ERROR_ARGUMENT, "99");
  check_fails(rango_meter_read(NULL, &first), RANGO_ERROR_ARGUMENT, "NULL");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rapl),         cmocka_unit_test(test_rapl_missing),
      cmocka_unit_test(test_nvml),         cmocka_unit_test(test_powermetrics_text),
      cmocka_unit_test(test_powermetrics), cmocka_unit_test(test_here),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
