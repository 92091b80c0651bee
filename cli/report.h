/* What --report adds: the page's options, and the same facts as JSON. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "output.h"

/* "rango COMMAND ARGUMENTS", quoted for a POSIX shell; to be freed. */
char *command_line(const char *name, int count, char *const *arguments);

/* Minutes of work must not end with a folder that can't be written: EXIT_DONE, or the failure reported. */
int check_folder(const char *path);

/* Spectrum, dimensions and leading directions, added to an object or as one (NULL: null). */
void add_portrait(cJSON *to, const rango_portrait *portrait);
cJSON *portrait_json(const rango_portrait *portrait);
/* A weight that isn't factored, and as a line of text. */
cJSON *left_alone_json(const rango_left_alone *item);
void print_left_alone(const rango_left_alone *item);
/* The search's curve. */
cJSON *curve_json(const rango_compression *result);

#endif
