#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/cpu_features.h"

#include <pthread.h>
#include <unistd.h>

#include "base/cpu_cores.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

static rg_cpu cpu;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* Register states that the system saves (Intel SDM vol. 1, 13.3): bits 1, 2 for AVX; also 5, 6, 7 for AVX-512. */
static uint64_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

static void find_features(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return;
  uint64_t saved = saved_states();
  bool avx = (saved & 0x6) == 0x6 && (c & bit_AVX), avx512 = avx && (saved & 0xe0) == 0xe0;
  cpu.fma = avx && (c & bit_FMA);
  cpu.f16c = avx && (c & bit_F16C);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
  cpu.avx2 = avx && (b & bit_AVX2);
  cpu.avx512f = avx512 && (b & bit_AVX512F);
  cpu.avx512bw = avx512 && (b & bit_AVX512BW);
  cpu.avx512dq = avx512 && (b & bit_AVX512DQ);
  cpu.avx512vl = avx512 && (b & bit_AVX512VL);
}
#elif defined(__aarch64__) && defined(__linux__)
static void find_features(void) {
  unsigned long capabilities = getauxval(AT_HWCAP);
  cpu.neon = (capabilities & HWCAP_ASIMD) != 0;
  cpu.fp16 = (capabilities & HWCAP_ASIMDHP) != 0;
  cpu.dotprod = (capabilities & HWCAP_ASIMDDP) != 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
static bool system_has(const char *name) {
  int value = 0;
  size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, NULL, 0) == 0 && value != 0;
}

static void find_features(void) {
  cpu.neon = true;
  cpu.fp16 = system_has("hw.optional.arm.FEAT_FP16");
  cpu.dotprod = system_has("hw.optional.arm.FEAT_DotProd");
}
#else
static void find_features(void) {}
#endif

#if defined(__x86_64__)
/* Deterministic cache parameters (Intel SDM vol. 2, CPUID leaf 4; AMD APM vol. 3, leaf 8000001D, of the same form): a
 * tenth of the time that reading /sys takes. */
static bool find_caches(void) {
  uint32_t a, b, c, d, leaf = 4;
  size_t *const sizes[] = {NULL, &cpu.l1_bytes, &cpu.l2_bytes, &cpu.l3_bytes};
  if (__get_cpuid_max(0, NULL) < leaf) return false;
  __cpuid_count(leaf, 0, a, b, c, d);
  if ((a & 31) == 0) {
    leaf = 0x8000001d;
    if (__get_cpuid_max(0x80000000, NULL) < leaf) return false;
  }
  for (uint32_t i = 0; i < 8; i++) {
    __cpuid_count(leaf, i, a, b, c, d);
    const uint32_t type = a & 31, level = a >> 5 & 7; /* type 0: no more; 2: instructions */
    if (type == 0) break;
    if (type != 2 && level >= 1 && level <= 3)
      *sizes[level] = ((size_t)(b >> 22) + 1) * ((b >> 12 & 1023) + 1) * ((b & 4095) + 1) * ((size_t)c + 1);
  }
  return cpu.l1_bytes > 0 && cpu.l2_bytes > 0;
}
#else
static bool find_caches(void) { return false; }
#endif

static void find_once(void) {
  find_features();
  if (!find_caches()) rg_cpu_caches(&cpu.l1_bytes, &cpu.l2_bytes, &cpu.l3_bytes);
}

const rg_cpu *rg_cpu_features(void) {
  pthread_once(&once, find_once);
  return &cpu;
}
