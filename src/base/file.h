/* Files: mapped for reading, written whole or not at all. */
#ifndef RG_BASE_FILE_H
#define RG_BASE_FILE_H

#include "base/memory.h"

/* Maps a regular file read-only. The message names `path`. */
rango_status rg_file_map(const char *path, rg_buffer **out);
/* Maps `folder`/`relative`; refuses absolute paths, "..", symbolic links and anything but a regular file, component by
 * component (openat with O_NOFOLLOW), so that a model can't reach outside its folder. */
rango_status rg_file_map_inside(const char *folder, const char *relative, rg_buffer **out);
/* Folder part of a path ("." when it has none), in `arena`. */
rango_status rg_path_folder(rg_arena *arena, const char *path, const char **out);

/* A file being written under a temporary name in the target's folder; commit syncs and renames it over the target.
 * Freed without commit (an error, an interrupt handled by the caller) it leaves nothing. Errors stick: later writes do
 * nothing and commit reports the first. */
typedef struct rg_file_writer rg_file_writer;
rango_status rg_file_writer_create(const char *path, rg_file_writer **out);
void rg_file_writer_write(rg_file_writer *writer, const void *data, size_t bytes);
uint64_t rg_file_writer_position(const rg_file_writer *writer);
rango_status rg_file_writer_commit(rg_file_writer *writer);
void rg_file_writer_free(rg_file_writer *writer);

#endif
