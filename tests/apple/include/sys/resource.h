#ifndef RG_APPLE_SYS_RESOURCE_H
#define RG_APPLE_SYS_RESOURCE_H

#include <sys/types.h>

#define RUSAGE_SELF 0

struct timeval {
  time_t tv_sec;
  int32_t tv_usec;
};
struct rusage {
  struct timeval ru_utime, ru_stime;
  long ru_maxrss; /* bytes */
};

int getrusage(int who, struct rusage *out);

#endif
