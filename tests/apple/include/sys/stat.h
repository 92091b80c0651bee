#ifndef RG_APPLE_SYS_STAT_H
#define RG_APPLE_SYS_STAT_H

#include <sys/types.h>

struct stat {
  dev_t st_dev;
  mode_t st_mode;
  ino_t st_ino;
  uid_t st_uid;
  gid_t st_gid;
  struct timespec st_atimespec, st_mtimespec, st_ctimespec;
  off_t st_size;
};
#define S_ISREG(mode) (((mode)&0170000) == 0100000)
#define S_ISLNK(mode) (((mode)&0170000) == 0120000)
#define S_ISDIR(mode) (((mode)&0170000) == 0040000)

int stat(const char *path, struct stat *out);
int lstat(const char *path, struct stat *out);
int fstat(int file, struct stat *out);
int fstatat(int folder, const char *path, struct stat *out, int flags);
int mkdir(const char *path, mode_t mode);
int chmod(const char *path, mode_t mode);
int fchmod(int file, mode_t mode);
mode_t umask(mode_t mask);

#endif
