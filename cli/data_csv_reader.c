/* Reading .csv field by field: one field is held at a time. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "data_csv.h"
#include "output.h"

#define FIELD_MAX ((size_t)1 << 20)

int csv_open(const char *path, csv_reader *out) {
  *out = (csv_reader){.path = path, .file = fopen(path, "rb")};
  if (!out->file) return report_failure_of("%s: %s", path, strerror(errno));
  out->capacity = 64;
  out->text = must_alloc(out->capacity, 1);
  static const char mark[3] = {'\xef', '\xbb', '\xbf'}; /* UTF-8's, as spreadsheets write it */
  char head[3];
  if (fread(head, 1, sizeof head, out->file) != sizeof head || memcmp(head, mark, sizeof head) != 0) rewind(out->file);
  return EXIT_DONE;
}

void csv_close(csv_reader *reader) {
  if (reader->file) fclose(reader->file);
  free(reader->text);
  *reader = (csv_reader){0};
}

int csv_failure(const csv_reader *reader, const char *format, ...) {
  char what[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return report_failure_of("%s, line %lld, column %d: %s", reader->path, (long long)reader->line, reader->column, what);
}

/* A character, with every kind of line end as '\n'. */
static int get(csv_reader *r) {
  int c = getc(r->file);
  if (c == '\r') {
    int next = getc(r->file);
    if (next != '\n' && next != EOF) ungetc(next, r->file);
    c = '\n';
  }
  if (c == '\n') r->lines++;
  return c;
}

static int put(csv_reader *r, int c) {
  if (r->length + 1 >= r->capacity) {
    if (r->capacity >= FIELD_MAX) return csv_failure(r, "the field is over %zu bytes long", FIELD_MAX);
    r->capacity *= 2;
    char *grown = realloc(r->text, r->capacity);
    if (!grown) return report_failure_of("%s: out of memory", r->path);
    r->text = grown;
  }
  r->text[r->length++] = (char)c;
  r->text[r->length] = 0;
  return EXIT_DONE;
}

/* Up to the closing quote; what follows must be the field's end, which becomes *c. */
static int read_quoted(csv_reader *r, int *c) {
  r->quoted = true;
  for (;;) {
    *c = get(r);
    if (*c == EOF) return csv_failure(r, "the quote is never closed");
    if (*c == '"') {
      *c = get(r);
      if (*c != '"') break;
    }
    int code = put(r, *c);
    if (code != EXIT_DONE) return code;
  }
  while (*c == ' ' || *c == '\t') *c = get(r);
  if (*c == ',' || *c == '\n' || *c == EOF) return EXIT_DONE;
  return csv_failure(r, "text behind the closing quote");
}

static int read_plain(csv_reader *r, int *c) {
  for (; *c != ',' && *c != '\n' && *c != EOF; *c = get(r)) {
    if (*c == 0) return csv_failure(r, "a zero byte: no text file");
    int code = put(r, *c);
    if (code != EXIT_DONE) return code;
  }
  while (r->length && isspace((unsigned char)r->text[r->length - 1])) r->text[--r->length] = 0;
  return EXIT_DONE;
}

static int read_field(csv_reader *r, int *c) {
  r->line = r->lines + 1;
  r->column = r->last || r->column == 0 ? 1 : r->column + 1;
  r->length = 0;
  r->text[0] = 0;
  r->quoted = false;
  *c = get(r);
  while (*c == ' ' || *c == '\t') *c = get(r);
  int code = *c == '"' ? read_quoted(r, c) : read_plain(r, c);
  r->last = *c != ',';
  return code;
}

int csv_next(csv_reader *r, bool *more) {
  for (;;) {
    int c, code = read_field(r, &c);
    if (code != EXIT_DONE) return code;
    bool empty = r->column == 1 && r->last && r->length == 0 && !r->quoted;
    *more = !(empty && c == EOF);
    if (ferror(r->file)) return report_failure_of("%s: %s", r->path, strerror(errno));
    if (!empty || c == EOF) return EXIT_DONE;
  }
}

/* strtod would also take hexadecimal numbers, "inf" and "nan". The tool never sets a locale, so its point is ".". */
bool csv_number(const csv_reader *reader, double *out) {
  if (reader->length == 0 || strspn(reader->text, "0123456789+-.eE") != reader->length) return false;
  char *end;
  *out = strtod(reader->text, &end);
  return *end == 0 && isfinite(*out);
}
