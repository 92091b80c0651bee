/* Mapping files for reading: any file by path, or one inside a folder that the path can't leave. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

/* Maps the open file and closes it. */
static rango_status map_descriptor(int descriptor, const char *path, rg_buffer **out) {
  rango_status status = RANGO_OK;
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    status = rg_fail(RANGO_ERROR_IO, "%s: %s", path, strerror(errno));
  } else if (!S_ISREG(info.st_mode)) {
    status = rg_fail(RANGO_ERROR_IO, "%s: not a regular file", path);
  } else if ((uintmax_t)info.st_size > PTRDIFF_MAX) {
    status = rg_fail(RANGO_ERROR_LIMIT, "%s: too big to map", path);
  } else if (info.st_size == 0) {
    status = rg_buffer_create(0, out); /* an empty mapping is refused by the system */
  } else {
    size_t bytes = (size_t)info.st_size;
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
      status = rg_fail(errno == ENOMEM ? RANGO_ERROR_MEMORY : RANGO_ERROR_IO, "%s: can't be mapped: %s", path,
                       strerror(errno));
    } else {
      status = rg_buffer_create_mapped(data, bytes, out);
      if (status != RANGO_OK) munmap(data, bytes);
    }
  }
  close(descriptor);
  return status;
}

/* O_NONBLOCK: opening a named pipe must not wait for its writer. */
#define OPEN_FILE (O_RDONLY | O_CLOEXEC | O_NONBLOCK)

rango_status rg_file_map(const char *path, rg_buffer **out) {
  *out = NULL;
  int descriptor = open(path, OPEN_FILE);
  RG_FAIL_IF(descriptor < 0, RANGO_ERROR_IO, "%s: %s", path, strerror(errno));
  return map_descriptor(descriptor, path, out);
}

static rango_status refuse(const char *folder, const char *relative, const char *why) {
  return rg_fail(RANGO_ERROR_FORMAT, "external file '%s' of folder '%s' is refused: %s", relative, folder, why);
}

/* Opens the component [start, end) of `relative` below `parent`. */
static rango_status open_component(int parent, const char *folder, const char *relative, const char *start,
                                   const char *end, bool last, int *out) {
  char name[NAME_MAX + 1];
  size_t length = (size_t)(end - start);
  if (length > NAME_MAX) return refuse(folder, relative, "a name in it is too long");
  memcpy(name, start, length);
  name[length] = 0;
  if (strcmp(name, "..") == 0) return refuse(folder, relative, "it leaves the folder");
  *out = openat(parent, name, (last ? OPEN_FILE : O_RDONLY | O_CLOEXEC | O_DIRECTORY) | O_NOFOLLOW);
  if (*out >= 0) return RANGO_OK;
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode))
    return refuse(folder, relative, "it passes through a symbolic link");
  return rg_fail(RANGO_ERROR_IO, "external file '%s' of folder '%s': %s", relative, folder, strerror(errno));
}

rango_status rg_file_map_inside(const char *folder, const char *relative, rg_buffer **out) {
  *out = NULL;
  if (!relative[0]) return refuse(folder, relative, "its name is empty");
  if (relative[0] == '/') return refuse(folder, relative, "it is an absolute path");
  int descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  RG_FAIL_IF(descriptor < 0, RANGO_ERROR_IO, "folder '%s' of external data: %s", folder, strerror(errno));
  const char *start = relative;
  for (bool last = false; !last;) {
    const char *end = start + strcspn(start, "/");
    last = *end == 0;
    bool skip = end == start || (end - start == 1 && *start == '.'); /* "a//b", "./a" */
    if (!skip || last) {
      int below = -1;
      rango_status status = open_component(descriptor, folder, relative, start, end, last, &below);
      close(descriptor);
      if (status != RANGO_OK) return status;
      descriptor = below;
    }
    start = end + 1;
  }
  rango_status status = map_descriptor(descriptor, relative, out);
  return status == RANGO_OK ? status : rg_fail_context(status, "external data in folder '%s'", folder);
}

rango_status rg_path_folder(rg_arena *arena, const char *path, const char **out) {
  const char *slash = strrchr(path, '/');
  if (!slash) return rg_arena_strndup(arena, ".", 1, out);
  while (slash > path && slash[-1] == '/') slash--;
  return rg_arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path), out);
}
