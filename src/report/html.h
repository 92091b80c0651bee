/* HTML being written: markup is ours, and text from outside is escaped. Errors stick to the file. */
#ifndef RG_REPORT_HTML_H
#define RG_REPORT_HTML_H

#include "base/file.h"
#include "rango_compress.h"

typedef struct rg_html {
  rg_file_writer *file;
  rango_status status; /* the first failure that is not the file's */
} rg_html;

/* Our own markup of up to 2000 bytes, with numbers and short words of ours. No text from a model, a file or a caller.
 */
void rg_html_put(rg_html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of any length, as it is. */
void rg_html_raw(rg_html *html, const char *markup);
/* Any text: markup is escaped; control characters and what isn't UTF-8 become U+FFFD. NULL: nothing. */
void rg_html_text(rg_html *html, const char *text);
/* "12.3 M", "456 k", "789"; a dash for negative numbers. */
void rg_html_count(rg_html *html, int64_t count);
/* `value` with so many decimals, a point whatever the locale; a dash when it isn't finite. */
void rg_html_number(rg_html *html, double value, int decimals);
/* As a table's sort key: in 1e-9, a whole number. */
int64_t rg_html_key(double value);

/* ---- pictures ---- */

typedef enum rg_tone {
  RG_TONE_SAMPLE, /* from the least value to the largest */
  RG_TONE_WEIGHTS /* around 0: one channel from blue through white to red */
} rg_tone;

/* "data:image/png;base64,..." */
void rg_html_png(rg_html *html, const rango_picture *picture, rg_tone tone);

#endif
