/* Stand-in for macOS's <dirent.h>. */
#ifndef APPLE_DIRENT_H
#define APPLE_DIRENT_H
typedef struct dir DIR;
struct dirent {
  unsigned char d_type;
  char d_name[1024];
};
DIR *opendir(const char *name);
struct dirent *readdir(DIR *directory);
int closedir(DIR *directory);
#endif
