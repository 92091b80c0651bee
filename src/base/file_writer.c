/* A file written whole or not at all: under a temporary name beside its target, synced, then renamed over it. Targets
 * that are no regular files (/dev/stdout, a pipe) can't be replaced and are written directly. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define BUFFER_BYTES  ((size_t)64 << 10)
#define NAME_ATTEMPTS 100

struct rg_file_writer {
  rg_arena *arena;
  const char *target;    /* where a symbolic link leads, so that the link stays */
  const char *temporary; /* NULL: the target itself is written */
  int descriptor;
  uint64_t position;
  rango_status status; /* the first error, with its message */
  char message[512];
  size_t used;
  unsigned char buffer[BUFFER_BYTES];
};

static void keep_error(rg_file_writer *writer, rango_status status) {
  if (status == RANGO_OK || writer->status != RANGO_OK) return;
  writer->status = status;
  strncpy(writer->message, rango_error_message(), sizeof writer->message - 1);
}

/* A name that another writer of this or another process hardly takes; O_EXCL decides. */
static rango_status temporary_name(rg_file_writer *writer, const char **out) {
  static atomic_uint serial;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const char *folder, *slash = strrchr(writer->target, '/');
  RG_TRY(rg_path_folder(writer->arena, writer->target, &folder));
  return rg_arena_printf(writer->arena, out, "%s/.%.100s.%lx-%x-%lx.tmp", folder, slash ? slash + 1 : writer->target,
                         (long)getpid(), atomic_fetch_add(&serial, 1), now.tv_nsec);
}

static rango_status open_temporary(rg_file_writer *writer, mode_t mode) {
  for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const char *name;
    RG_TRY(temporary_name(writer, &name));
    writer->descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->descriptor >= 0) {
      writer->temporary = name;
      if (mode) fchmod(writer->descriptor, mode & 0777); /* a replaced file's rights, as far as the system allows */
      return RANGO_OK;
    }
    if (errno != EEXIST) break;
  }
  return rg_fail(RANGO_ERROR_IO, "%s: can't be written: %s", writer->target, strerror(errno));
}

static rango_status open_target(rg_file_writer *writer, const char *path) {
  struct stat info;
  bool exists = stat(path, &info) == 0;
  char *resolved = exists ? realpath(path, NULL) : NULL;
  const char *target = resolved && S_ISREG(info.st_mode) ? resolved : path;
  rango_status status = rg_arena_strndup(writer->arena, target, strlen(target), &writer->target);
  free(resolved);
  RG_TRY(status);
  RG_FAIL_IF(exists && S_ISDIR(info.st_mode), RANGO_ERROR_IO, "%s: is a folder", path);
  if (!exists || S_ISREG(info.st_mode)) return open_temporary(writer, exists ? info.st_mode : 0);
  writer->descriptor = open(path, O_WRONLY | O_CLOEXEC);
  RG_FAIL_IF(writer->descriptor < 0, RANGO_ERROR_IO, "%s: can't be written: %s", path, strerror(errno));
  return RANGO_OK;
}

rango_status rg_file_writer_create(const char *path, rg_file_writer **out) {
  *out = NULL;
  rg_file_writer *writer;
  RG_TRY(rg_calloc(1, sizeof *writer, RG_OUT(&writer)));
  writer->descriptor = -1;
  rango_status status = rg_arena_create(&writer->arena);
  if (status == RANGO_OK) status = open_target(writer, path);
  if (status != RANGO_OK) {
    rg_file_writer_free(writer);
    return status;
  }
  *out = writer;
  return RANGO_OK;
}

static void write_through(rg_file_writer *writer, const unsigned char *data, size_t bytes) {
  while (bytes && writer->status == RANGO_OK) {
    size_t part = bytes < ((size_t)1 << 30) ? bytes : (size_t)1 << 30; /* some systems refuse 2 GiB at once */
    ssize_t written = write(writer->descriptor, data, part);
    if (written > 0) {
      data += written;
      bytes -= (size_t)written;
    } else if (written == 0 || errno != EINTR) {
      const char *why = written == 0 ? "nothing could be written" : strerror(errno);
      keep_error(writer, rg_fail(RANGO_ERROR_IO, "%s: writing failed: %s", writer->target, why));
    }
  }
}

static void flush(rg_file_writer *writer) {
  write_through(writer, writer->buffer, writer->used);
  writer->used = 0;
}

void rg_file_writer_write(rg_file_writer *writer, const void *data, size_t bytes) {
  writer->position += bytes;
  if (bytes > BUFFER_BYTES - writer->used) flush(writer);
  if (bytes > BUFFER_BYTES) {
    write_through(writer, data, bytes);
  } else if (bytes) {
    memcpy(writer->buffer + writer->used, data, bytes);
    writer->used += bytes;
  }
}

uint64_t rg_file_writer_position(const rg_file_writer *writer) { return writer->position; }

/* The new name is only safe once the folder is on the disk; systems that can't sync folders are believed. */
static void sync_folder(rg_file_writer *writer) {
  const char *folder;
  if (rg_path_folder(writer->arena, writer->target, &folder) != RANGO_OK) return;
  int descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

static rango_status put_in_place(rg_file_writer *writer) {
  RG_FAIL_IF(writer->temporary && fsync(writer->descriptor) != 0, RANGO_ERROR_IO, "%s: writing failed: %s",
             writer->target, strerror(errno));
  int closed = close(writer->descriptor);
  writer->descriptor = -1;
  RG_FAIL_IF(closed != 0, RANGO_ERROR_IO, "%s: writing failed: %s", writer->target, strerror(errno));
  if (!writer->temporary) return RANGO_OK;
  RG_FAIL_IF(rename(writer->temporary, writer->target) != 0, RANGO_ERROR_IO, "%s: can't be replaced: %s",
             writer->target, strerror(errno));
  writer->temporary = NULL;
  sync_folder(writer);
  return RANGO_OK;
}

rango_status rg_file_writer_commit(rg_file_writer *writer) {
  RG_FAIL_IF(writer->status == RANGO_OK && writer->descriptor < 0, RANGO_ERROR_INTERNAL, "%s: committed twice",
             writer->target);
  flush(writer);
  if (writer->status == RANGO_OK) keep_error(writer, put_in_place(writer));
  if (writer->status != RANGO_OK) return rg_fail(writer->status, "%s", writer->message);
  return RANGO_OK;
}

void rg_file_writer_free(rg_file_writer *writer) {
  if (!writer) return;
  if (writer->descriptor >= 0) close(writer->descriptor);
  if (writer->temporary) unlink(writer->temporary);
  rg_arena_free(writer->arena);
  rg_free(writer);
}
