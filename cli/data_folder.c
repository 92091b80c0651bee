/* Folders of images: either images, or one sub-folder a class with images in it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data.h"
#include "output.h"

bool is_image_name(const char *name) {
  return ends_with(name, ".png") || ends_with(name, ".jpg") || ends_with(name, ".jpeg");
}

/* What a user surely meant as an image and we can't read: leaving it out would hide that. */
static bool is_other_image_name(const char *name) {
  static const char *const ends[] = {".bmp",  ".gif",  ".tif", ".tiff", ".webp",
                                     ".heic", ".avif", ".ppm", ".pgm",  ".jp2"};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (ends_with(name, ends[i])) return true;
  return false;
}

static char *join(const char *folder, const char *name) {
  size_t length = strlen(folder) + strlen(name) + 2;
  char *path = must_alloc(length, 1);
  snprintf(path, length, "%s/%s", folder, name);
  return path;
}

/* ---- the names in one folder, sorted by bytes ---- */

typedef struct name_list {
  char **items;
  size_t count, capacity;
} name_list;

static void names_free(name_list *names) {
  for (size_t i = 0; i < names->count; i++) free(names->items[i]);
  free(names->items);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Hidden files are left out. */
static int list_names(const char *folder, name_list *out) {
  *out = (name_list){0};
  DIR *directory = opendir(folder);
  if (!directory) return report_failure_of("%s: %s", folder, strerror(errno));
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    if (out->count == out->capacity) {
      char **grown = must_alloc(2 * out->capacity + 64, sizeof *grown);
      if (out->count) memcpy(grown, out->items, out->count * sizeof *grown);
      free(out->items);
      out->items = grown;
      out->capacity = 2 * out->capacity + 64;
    }
    out->items[out->count++] = join(folder, entry->d_name);
  }
  closedir(directory);
  if (out->count) qsort(out->items, out->count, sizeof *out->items, compare_names);
  return EXIT_DONE;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- images of a folder and its classes ---- */

static void add_file(image_files *files, char *path, int64_t class) {
  files->paths[files->count] = path;
  files->classes[files->count++] = class;
}

/* Takes the images among the names; other files (a Thumbs.db, a README) are left out. */
static int take_images(const char *folder, name_list *names, bool is_class, image_files *files) {
  files->paths = realloc(files->paths, (files->count + names->count + 1) * sizeof *files->paths);
  files->classes = realloc(files->classes, (files->count + names->count + 1) * sizeof *files->classes);
  if (!files->paths || !files->classes) return report_failure_of("%s: out of memory", folder);
  for (size_t i = 0; i < names->count; i++) {
    char *path = names->items[i];
    if (is_other_image_name(path)) return report_failure_of("%s: only PNG and JPEG images can be read", path);
    if (is_class && is_folder(path))
      return report_failure_of("%s: a folder inside a class's folder: classes are one level deep", path);
    if (!is_image_name(path)) continue;
    add_file(files, path, (int64_t)files->class_count - (is_class ? 1 : 0));
    names->items[i] = NULL; /* taken over */
  }
  return EXIT_DONE;
}

static int list_class(const char *folder, image_files *files) {
  name_list names;
  int code = list_names(folder, &names);
  files->class_count++;
  if (code == EXIT_DONE) code = take_images(folder, &names, true, files);
  names_free(&names);
  return code;
}

static int list_folder(const char *folder, name_list *names, image_files *files) {
  int code = EXIT_DONE;
  for (size_t i = 0; i < names->count && code == EXIT_DONE; i++)
    if (is_folder(names->items[i])) code = list_class(names->items[i], files);
  if (code != EXIT_DONE) return code;
  size_t inside = files->count, classes = files->class_count;
  code = take_images(folder, names, false, files);
  if (code == EXIT_DONE && classes && files->count > inside)
    return report_failure_of("%s: holds both images and folders: either is meant as the data, not both", folder);
  if (code == EXIT_DONE && files->count == 0) return report_failure_of("%s: no PNG or JPEG image in it", folder);
  return code;
}

int image_files_list(const char *path, image_files *out) {
  name_list names;
  *out = (image_files){0};
  if (!is_folder(path)) {
    out->paths = must_alloc(1, sizeof *out->paths);
    out->classes = must_alloc(1, sizeof *out->classes);
    char *copy = must_alloc(strlen(path) + 1, 1);
    strcpy(copy, path);
    add_file(out, copy, 0);
    return EXIT_DONE;
  }
  int code = list_names(path, &names);
  if (code == EXIT_DONE) code = list_folder(path, &names, out);
  names_free(&names);
  return code;
}

void image_files_free(image_files *files) {
  for (size_t i = 0; i < files->count; i++) free(files->paths[i]);
  free(files->paths);
  free(files->classes);
  *files = (image_files){0};
}
