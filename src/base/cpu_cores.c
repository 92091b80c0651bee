#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cpu_cores.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>

/* The first line of a small file of /proc or /sys, without its newline. */
static bool read_line(const char *path, char *line, size_t bytes) {
  FILE *file = fopen(path, "re");
  if (!file) return false;
  bool read = fgets(line, (int)bytes, file) != NULL;
  fclose(file);
  if (read) line[strcspn(line, "\n")] = 0;
  return read;
}

static int quota_cores(long long quota, long long period, int cores) {
  if (quota <= 0 || period <= 0) return cores;
  long long allowed = (quota - 1) / period + 1;
  return allowed < cores ? (int)allowed : cores;
}

/* cgroup v2: "<quota|max> <period>" in the group's cpu.max and in those of all groups around it. */
static int quota_v2(int cores) {
  char path[PATH_MAX + 64], line[PATH_MAX], group[PATH_MAX] = "";
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return cores;
  while (fgets(line, sizeof line, file))
    if (strncmp(line, "0::/", 4) == 0) {
      line[strcspn(line, "\n")] = 0;
      memcpy(group, line + 3, strlen(line + 3) + 1);
    }
  fclose(file);
  for (;;) {
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
    char *rest;
    if (read_line(path, line, sizeof line)) {
      long long quota = strtoll(line, &rest, 10); /* "max" is 0: none */
      cores = quota_cores(quota, strtoll(rest, NULL, 10), cores);
    }
    char *slash = strrchr(group, '/');
    if (!slash) return cores;
    *slash = 0;
  }
}

/* cgroup v1, as a container sees it. */
static int quota_v1(int cores) {
  char quota[64], period[64];
  if (!read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota) ||
      !read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period))
    return cores;
  return quota_cores(strtoll(quota, NULL, 10), strtoll(period, NULL, 10), cores); /* -1: none */
}

static int affinity_cores(void) {
  /* The kernel refuses a mask smaller than its own: grow until it fits. */
  for (int cpus = 1024; cpus <= 1 << 16; cpus *= 4) {
    cpu_set_t *set = CPU_ALLOC((size_t)cpus);
    if (!set) break;
    size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
    int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

int rg_cpu_cores(void) { return quota_v1(quota_v2(affinity_cores())); }

static size_t cache_attribute(int index, const char *name, char *line, size_t bytes) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
  return read_line(path, line, bytes) ? strlen(line) : 0;
}

void rg_cpu_caches(size_t *l1, size_t *l2, size_t *l3) {
  size_t found[4] = {0};
  char line[64];
  for (int index = 0; index < 8; index++) {
    if (!cache_attribute(index, "type", line, sizeof line)) break;
    if (strcmp(line, "Instruction") == 0 || !cache_attribute(index, "level", line, sizeof line)) continue;
    long level = strtol(line, NULL, 10);
    unsigned long kilobytes =
        cache_attribute(index, "size", line, sizeof line) ? strtoul(line, NULL, 10) : 0; /* "32K" */
    if (level >= 1 && level <= 3) found[level] = (size_t)kilobytes << 10;
  }
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  static const int names[] = {0, _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  for (int level = 1; level <= 3; level++) {
    long bytes = found[level] ? 0 : sysconf(names[level]);
    if (bytes > 0) found[level] = (size_t)bytes;
  }
#endif
  *l1 = found[1];
  *l2 = found[2];
  *l3 = found[3];
}

#elif defined(__APPLE__)
#include <stdint.h>
#include <sys/sysctl.h>

static size_t system_size(const char *name) {
  int64_t value = 0;
  size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, NULL, 0) == 0 && value > 0 ? (size_t)value : 0;
}

int rg_cpu_cores(void) {
  size_t cores = system_size("hw.activecpu"); /* a 4-byte value on a little-endian machine */
  return cores ? (int)cores : 1;
}

void rg_cpu_caches(size_t *l1, size_t *l2, size_t *l3) {
  *l1 = system_size("hw.perflevel0.l1dcachesize");
  *l2 = system_size("hw.perflevel0.l2cachesize");
  *l3 = system_size("hw.l3cachesize");
  if (!*l1) *l1 = system_size("hw.l1dcachesize");
  if (!*l2) *l2 = system_size("hw.l2cachesize");
}

#else
int rg_cpu_cores(void) {
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

void rg_cpu_caches(size_t *l1, size_t *l2, size_t *l3) { *l1 = *l2 = *l3 = 0; }
#endif
