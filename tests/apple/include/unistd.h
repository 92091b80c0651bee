#ifndef RG_APPLE_UNISTD_H
#define RG_APPLE_UNISTD_H

#include <sys/types.h>

#define STDIN_FILENO         0
#define STDOUT_FILENO        1
#define STDERR_FILENO        2
#define R_OK                 4
#define W_OK                 2
#define X_OK                 1
#define F_OK                 0
#define _SC_PAGESIZE         29
#define _SC_NPROCESSORS_ONLN 58

ssize_t read(int file, void *to, size_t count);
ssize_t write(int file, const void *from, size_t count);
ssize_t pread(int file, void *to, size_t count, off_t offset);
int close(int file);
int fsync(int file);
int ftruncate(int file, off_t size);
off_t lseek(int file, off_t offset, int from);
int unlink(const char *path);
int rmdir(const char *path);
int access(const char *path, int mode);
int isatty(int file);
int dup(int file);
int dup2(int file, int to);
int pipe(int files[2]);
pid_t fork(void);
pid_t getpid(void);
int execv(const char *path, char *const arguments[]);
int execvp(const char *path, char *const arguments[]);
void _exit(int status) __attribute__((noreturn));
long sysconf(int name);
unsigned sleep(unsigned seconds);
int usleep(unsigned microseconds);
ssize_t readlink(const char *path, char *to, size_t size);

#endif
