#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"

static void *must(void *memory) {
  if (memory) return memory;
  fputs("rango: out of memory\n", stderr);
  exit(EXIT_FAILED);
}

void *must_alloc(size_t count, size_t size) { return must(calloc(count ? count : 1, size)); }

/* ---- tables ---- */

struct table {
  int columns;
  const char *alignments;
  char **cells; /* the titles, then row by row */
  size_t count;
};

static void add_cell(table *t, const char *text) {
  t->cells = must(realloc(t->cells, (t->count + 1) * sizeof *t->cells));
  t->cells[t->count++] = must(strdup(text));
}

table *table_create(int columns, const char *const *titles, const char *alignments) {
  table *t = must_alloc(1, sizeof *t);
  t->columns = columns;
  t->alignments = alignments;
  for (int i = 0; i < columns; i++) add_cell(t, titles[i]);
  return t;
}

void table_cell(table *t, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20) *c = '?'; /* names come from files */
  add_cell(t, text);
}

/* Characters of UTF-8 text, each taken as one column wide. */
static int text_width(const char *text) {
  int width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

static void print_cell(const char *text, int width, bool right, bool last) {
  int pad = width - text_width(text);
  if (right) printf("%*s", pad, "");
  fputs(text, stdout);
  if (!right && !last) printf("%*s", pad, "");
  fputs(last ? "\n" : "  ", stdout);
}

void table_print(const table *t) {
  int widths[32] = {0};
  for (size_t i = 0; i < t->count; i++) {
    int width = text_width(t->cells[i]);
    if (width > widths[i % (size_t)t->columns]) widths[i % (size_t)t->columns] = width;
  }
  for (size_t i = 0; i < t->count; i++) {
    int column = (int)(i % (size_t)t->columns);
    print_cell(t->cells[i], widths[column], t->alignments[column] == 'r', column + 1 == t->columns);
    if (i + 1 != (size_t)t->columns) continue;
    for (column = 0; column < t->columns; column++) { /* a rule under the titles */
      for (int j = 0; j < widths[column]; j++) putchar('-');
      fputs(column + 1 == t->columns ? "\n" : "  ", stdout);
    }
  }
}

void table_free(table *t) {
  for (size_t i = 0; i < t->count; i++) free(t->cells[i]);
  free(t->cells);
  free(t);
}

/* ---- numbers ---- */

static char *static_text(void) {
  static char texts[4][256];
  static int next;
  next = (next + 1) % 4;
  return texts[next];
}

static const char *scaled(double value, const char *const *units) {
  char *text = static_text();
  int unit = 0;
  while (value >= 999.5 && units[unit + 1]) value /= 1000, unit++;
  int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  snprintf(text, 256, "%.*f%s", digits, value, units[unit]);
  return text;
}

const char *text_count(int64_t count) {
  static const char *const units[] = {"", " k", " M", " G", " T", NULL};
  return count < 0 ? "-" : scaled((double)count, units);
}

const char *text_bytes(int64_t bytes) {
  static const char *const units[] = {" B", " kB", " MB", " GB", " TB", NULL};
  return bytes < 0 ? "-" : scaled((double)bytes, units);
}

const char *text_shape(int rank, const int64_t *dims) {
  if (rank < 0) return "-";
  char *text = static_text();
  size_t at = (size_t)snprintf(text, 256, "[");
  for (int i = 0; i < rank && at < 220; i++) {
    if (dims[i] < 0)
      at += (size_t)snprintf(text + at, 256 - at, "%s?", i ? ", " : "");
    else
      at += (size_t)snprintf(text + at, 256 - at, "%s%lld", i ? ", " : "", (long long)dims[i]);
  }
  snprintf(text + at, 256 - at, "]");
  return text;
}

/* ---- JSON ---- */

cJSON *json_object(void) { return must(cJSON_CreateObject()); }
cJSON *json_array(void) { return must(cJSON_CreateArray()); }

void json_add(cJSON *to, const char *key, cJSON *item) {
  must(item);
  cJSON_bool done = key ? cJSON_AddItemToObject(to, key, item) : cJSON_AddItemToArray(to, item);
  must(done ? to : NULL);
}

void json_text(cJSON *to, const char *key, const char *text) {
  json_add(to, key, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

void json_number(cJSON *to, const char *key, double number) {
  json_add(to, key, isfinite(number) ? cJSON_CreateNumber(number) : cJSON_CreateNull());
}

void json_integer(cJSON *to, const char *key, int64_t number) { json_number(to, key, (double)number); }

void json_count(cJSON *to, const char *key, int64_t number) { json_number(to, key, number < 0 ? NAN : (double)number); }

void json_shape(cJSON *to, const char *key, int rank, const int64_t *dims) {
  if (rank < 0) {
    json_add(to, key, cJSON_CreateNull());
    return;
  }
  cJSON *array = json_array();
  for (int i = 0; i < rank; i++) json_count(array, NULL, dims[i]);
  json_add(to, key, array);
}

void json_print(cJSON *root) {
  char *text = must(cJSON_Print(root));
  puts(text);
  cJSON_free(text);
  cJSON_Delete(root);
}

/* A temporary file beside the one that is wanted takes its name when it is complete. */
int json_save(cJSON *root, const char *path) {
  char *text = must(cJSON_PrintUnformatted(root)), *beside = must_alloc(strlen(path) + sizeof ".part", 1);
  sprintf(beside, "%s.part", path);
  FILE *file = fopen(beside, "w");
  bool written = file && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
  if (file && fclose(file) != 0) written = false;
  written = written && rename(beside, path) == 0;
  int code = written ? EXIT_DONE : report_failure_of("%s: could not be written: %s", path, strerror(errno));
  if (file && !written) remove(beside);
  free(beside);
  cJSON_free(text);
  cJSON_Delete(root);
  return code;
}

/* ---- errors ---- */

int report_failure(void) { return report_failure_of("%s", rango_error_message()); }

int report_failure_on(const char *file) {
  const char *message = rango_error_message();
  return strstr(message, file) ? report_failure() : report_failure_of("%s: %s", file, message);
}

int report_failure_of(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("rango: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  return EXIT_FAILED;
}

int finish_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_DONE;
  return report_failure_of("the result could not be printed");
}

int64_t file_bytes(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

const char *metric_key(rango_metric metric) {
  static const char *const keys[] = {"top1", "relative_error", "agreement", "output_error"};
  return keys[metric];
}

const char *metric_text(rango_metric metric, double value) {
  char *text = static_text();
  switch (metric) {
  case RANGO_METRIC_TOP1:
    snprintf(text, 256, "%.2f %% top-1", value);
    break;
  case RANGO_METRIC_AGREEMENT:
    snprintf(text, 256, "%.2f %% agreement", value);
    break;
  case RANGO_METRIC_RELATIVE_ERROR:
    snprintf(text, 256, "relative error %.4g", value);
    break;
  default:
    snprintf(text, 256, "output error %.4g", value);
  }
  return text;
}
