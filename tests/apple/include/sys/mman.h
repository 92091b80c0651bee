#ifndef RG_APPLE_SYS_MMAN_H
#define RG_APPLE_SYS_MMAN_H

#include <sys/types.h>

#define PROT_READ     1
#define PROT_WRITE    2
#define MAP_SHARED    1
#define MAP_PRIVATE   2
#define MAP_ANON      0x1000
#define MAP_ANONYMOUS MAP_ANON
#define MAP_FAILED    ((void *)-1)
#define MADV_NORMAL   0
#define MADV_DONTNEED 4
#define MADV_FREE     5

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
int munmap(void *at, size_t size);
int madvise(void *at, size_t size, int advice);
int mprotect(void *at, size_t size, int protection);

#endif
