#ifndef RG_APPLE_LIMITS_H
#define RG_APPLE_LIMITS_H

#include_next <limits.h> /* clang's own */

#define NAME_MAX 255
#define PATH_MAX 1024

#endif
