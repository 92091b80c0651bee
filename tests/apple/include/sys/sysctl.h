#ifndef RG_APPLE_SYS_SYSCTL_H
#define RG_APPLE_SYS_SYSCTL_H

#include <sys/types.h>

int sysctlbyname(const char *name, void *value, size_t *size, void *new_value, size_t new_size);

#endif
