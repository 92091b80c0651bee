/* Fields of a .csv file (RFC 4180): commas between them, quotes where they hold commas, quotes or line ends. */
#ifndef CLI_DATA_CSV_H
#define CLI_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct csv_reader {
  const char *path;
  FILE *file;
  int64_t line;  /* on which the last field begins, from 1 */
  int64_t lines; /* ends of lines that have been read */
  int column;    /* of the last field, from 1; 0: none yet on this line */
  char *text;    /* the last field, without quotes and the blanks around it */
  size_t length, capacity;
  bool quoted;
  bool last; /* the field ends its line */
} csv_reader;

int csv_open(const char *path, csv_reader *out); /* an exit code, as below; messages are printed */
void csv_close(csv_reader *reader);
/* The next field; *more is false at the end of the file. Empty lines are left out. */
int csv_next(csv_reader *reader, bool *more);
/* Whether the field is a decimal number, in the same notation whatever the locale. */
bool csv_number(const csv_reader *reader, double *out);
/* "PATH, line L, column C: ...", and EXIT_FAILED. */
int csv_failure(const csv_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
