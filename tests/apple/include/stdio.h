#ifndef RG_APPLE_STDIO_H
#define RG_APPLE_STDIO_H

#include <stdarg.h>
#include <sys/types.h>

typedef struct rg_file FILE;
extern FILE *__stdinp, *__stdoutp, *__stderrp;
#define stdin    __stdinp
#define stdout   __stdoutp
#define stderr   __stderrp
#define EOF      (-1)
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
int sprintf(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vfprintf(FILE *file, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
int vsnprintf(char *to, size_t size, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));
int sscanf(const char *from, const char *format, ...) __attribute__((format(scanf, 2, 3)));
int fscanf(FILE *file, const char *format, ...) __attribute__((format(scanf, 2, 3)));
FILE *fopen(const char *path, const char *mode);
FILE *fdopen(int file, const char *mode);
int fclose(FILE *file);
int fflush(FILE *file);
int ferror(FILE *file);
int feof(FILE *file);
int fileno(FILE *file);
int fseek(FILE *file, long offset, int from);
int fseeko(FILE *file, off_t offset, int from);
long ftell(FILE *file);
off_t ftello(FILE *file);
size_t fread(void *to, size_t size, size_t count, FILE *file);
size_t fwrite(const void *from, size_t size, size_t count, FILE *file);
char *fgets(char *to, int size, FILE *file);
int fputs(const char *s, FILE *file);
int fputc(int c, FILE *file);
int getc(FILE *file);
int ungetc(int c, FILE *file);
void rewind(FILE *file);
int putc(int c, FILE *file);
int putchar(int c);
int puts(const char *s);
FILE *tmpfile(void);
int remove(const char *path);
int rename(const char *from, const char *to);
void perror(const char *s);

#endif
