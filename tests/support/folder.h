/* A folder of the test's own under the system's temporary one, and what lies in it. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes one; `path` has room for 64 bytes. */
static inline void folder_make(char *path) {
  strcpy(path, "/tmp/rango-test-XXXXXX");
  if (!mkdtemp(path)) abort();
}

/* "<folder>/<name>"; static, four live at a time. */
static inline const char *folder_path(const char *folder, const char *name) {
  static char paths[4][512];
  static int turn;
  char *path = paths[turn++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline void folder_write(const char *folder, const char *name, const void *data, size_t bytes) {
  FILE *file = fopen(folder_path(folder, name), "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) abort();
}

/* The file's bytes (and a zero behind them), to be freed; NULL when there is none. */
static inline char *folder_read(const char *folder, const char *name, size_t *bytes) {
  FILE *file = fopen(folder_path(folder, name), "rb");
  if (!file) return NULL;
  char *data = malloc(1 << 20);
  *bytes = fread(data, 1, (1 << 20) - 1, file);
  data[*bytes] = 0;
  fclose(file);
  return data;
}

static inline int folder_count(const char *folder) {
  DIR *directory = opendir(folder);
  int count = 0;
  for (struct dirent *entry; directory && (entry = readdir(directory));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  if (directory) closedir(directory);
  return count;
}

/* Removes the folder with its files; folders inside must be empty or gone. */
static inline void folder_remove(const char *folder) {
  DIR *directory = opendir(folder);
  for (struct dirent *entry; directory && (entry = readdir(directory));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) remove(folder_path(folder, entry->d_name));
  if (directory) closedir(directory);
  rmdir(folder);
}

#endif
