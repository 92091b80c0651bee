/* Stands in for NVIDIA's management library: one GPU, which takes 2.5 J between two looks. */
#include <string.h>

#define API __attribute__((visibility("default")))

API int nvmlInit_v2(void);
API int nvmlShutdown(void);
API int nvmlDeviceGetHandleByUUID(const char *uuid, void **out);
API int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *millijoules);
API const char *nvmlErrorString(int error);

static int users;
static unsigned long long energy = 987654321;

int nvmlInit_v2(void) {
  users++;
  return 0;
}

int nvmlShutdown(void) { return users-- > 0 ? 0 : 1; }

int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
  *out = &energy;
  return strcmp(uuid, "GPU-00010203-0405-0607-0809-0a0b0c0d0eff") == 0 ? 0 : 6;
}

int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *millijoules) {
  *millijoules = energy;
  energy += 2500;
  return gpu == &energy && users == 1 ? 0 : 3;
}

const char *nvmlErrorString(int error) { return error == 6 ? "Not Found" : "Not Supported"; }
