#ifndef RG_APPLE_MACH_O_DYLD_H
#define RG_APPLE_MACH_O_DYLD_H

#include <stdint.h>

int _NSGetExecutablePath(char *to, uint32_t *size);

#endif
