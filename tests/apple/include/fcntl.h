#ifndef RG_APPLE_FCNTL_H
#define RG_APPLE_FCNTL_H

#include <sys/types.h>

#define O_RDONLY            0x0000
#define O_WRONLY            0x0001
#define O_RDWR              0x0002
#define O_NONBLOCK          0x0004
#define O_NOFOLLOW          0x0100
#define O_CREAT             0x0200
#define O_TRUNC             0x0400
#define O_EXCL              0x0800
#define O_DIRECTORY         0x100000
#define O_CLOEXEC           0x1000000
#define AT_FDCWD            (-2)
#define AT_SYMLINK_NOFOLLOW 0x0020
#define F_SETFD             2
#define FD_CLOEXEC          1
#define F_PREALLOCATE       42
#define F_FULLFSYNC         51
#define F_ALLOCATEALL       0x00000004
#define F_PEOFPOSMODE       3

typedef struct fstore {
  unsigned int fst_flags;
  int fst_posmode;
  off_t fst_offset, fst_length, fst_bytesalloc;
} fstore_t;

int open(const char *path, int flags, ...);
int openat(int folder, const char *path, int flags, ...);
int fcntl(int file, int command, ...);

#endif
