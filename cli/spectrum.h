/* Spectra and intrinsic dimensions, as inspect, manifold and the reports' facts show them. */
#ifndef CLI_SPECTRUM_H
#define CLI_SPECTRUM_H

#include "output.h"

/* A table of spectra: what was looked at, and its operator ("" for data). */
table *spectrum_table_create(void);
void spectrum_table_add(table *t, const char *name, const char *op, const rango_spectrum *s);
/* Prints it with its legend, and frees it. */
void spectrum_table_print(table *t);

/* Adds all facts of a spectrum to an object. */
void json_spectrum(cJSON *to, const rango_spectrum *s);

#endif
