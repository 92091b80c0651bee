#ifndef RG_APPLE_STRING_H
#define RG_APPLE_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *a, const void *b, size_t count);
void *memchr(const void *in, int value, size_t count);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t most);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
char *strcpy(char *to, const char *from);
char *stpcpy(char *to, const char *from);
char *strncpy(char *to, const char *from, size_t most);
char *strcat(char *to, const char *from);
char *strncat(char *to, const char *from, size_t most);
char *strchr(const char *in, int c);
char *strrchr(const char *in, int c);
char *strstr(const char *in, const char *s);
size_t strspn(const char *s, const char *set);
size_t strcspn(const char *s, const char *set);
char *strtok_r(char *s, const char *set, char **state);
char *strdup(const char *s);
char *strerror(int code);
int strerror_r(int code, char *to, size_t size);

#endif
