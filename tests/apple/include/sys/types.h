#ifndef RG_APPLE_SYS_TYPES_H
#define RG_APPLE_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef int64_t off_t;
typedef uint16_t mode_t;
typedef int32_t pid_t;
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef int32_t dev_t;
typedef uint64_t ino_t;
typedef int64_t time_t;
struct timespec {
  time_t tv_sec;
  long tv_nsec;
};

#endif
