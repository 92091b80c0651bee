/* What the commands print: tables, numbers, JSON, errors. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <cjson/cJSON.h>

#include "rango_compress.h"

/* A table whose columns are as wide as their widest cell. Cells are printf-ed, in order, row by row. */
typedef struct table table;
table *table_create(int columns, const char *const *titles, const char *alignments); /* one of 'l', 'r' a column */
void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const table *t); /* to stdout */
void table_free(table *t);

/* "12.3 M", "456 k", "789"; a dash for negative (unknown) numbers. In one of four static buffers. */
const char *text_count(int64_t count);
const char *text_bytes(int64_t bytes);                 /* "1.2 MB" */
const char *text_shape(int rank, const int64_t *dims); /* "[?, 3, 32, 32]" */

/* Zeroed memory; without any the process ends with a message. */
void *must_alloc(size_t count, size_t size);

/* JSON; out of memory while building ends the process with a message. */
cJSON *json_object(void);
cJSON *json_array(void);
void json_add(cJSON *to, const char *key, cJSON *item);       /* key NULL: to is an array */
void json_text(cJSON *to, const char *key, const char *text); /* NULL: null */
void json_number(cJSON *to, const char *key, double number);  /* not finite: null */
void json_integer(cJSON *to, const char *key, int64_t number);
void json_count(cJSON *to, const char *key, int64_t number);                /* negative (unknown): null */
void json_shape(cJSON *to, const char *key, int rank, const int64_t *dims); /* -1: null; rank -1: null for all */
void json_print(cJSON *root);                                               /* to stdout, and frees it */
int json_save(cJSON *root, const char *path); /* to a file, whole or not at all, and frees it */

/* "rango: <the library's last message>" on stderr, and EXIT_FAILED. */
int report_failure(void);
/* The same of work on a file, which is named where the message doesn't. */
int report_failure_on(const char *file);
int report_failure_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Flushes stdout: EXIT_DONE, or EXIT_FAILED when it couldn't be written. */
int finish_output(void);

int64_t file_bytes(const char *path);        /* external data not included; -1: unknown */
const char *metric_key(rango_metric metric); /* "top1", "relative_error", "agreement", "output_error" */
/* "98.20 % top-1", "relative error 0.0123" */
const char *metric_text(rango_metric metric, double value);

#endif
