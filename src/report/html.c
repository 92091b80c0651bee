/* Escaped text and numbers. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/html.h"

static void put_bytes(rg_html *html, const char *text, size_t bytes) { rg_file_writer_write(html->file, text, bytes); }

void rg_html_put(rg_html *html, const char *format, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length > 0) put_bytes(html, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void rg_html_raw(rg_html *html, const char *markup) { put_bytes(html, markup, strlen(markup)); }

/* Bytes of the UTF-8 character at `text`, 0 when there is none: overlong forms, surrogates and numbers beyond U+10FFFF
 * are none. */
static size_t character_bytes(const unsigned char *text) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t bytes = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 0;
  if (bytes <= 1) return bytes;
  if (text[0] > 0xf4) return 0;
  unsigned code = text[0] & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if ((text[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (text[i] & 0x3fu);
  }
  bool surrogate = code >= 0xd800 && code < 0xe000;
  return code >= least[bytes] && code <= 0x10ffff && !surrogate ? bytes : 0;
}

static const char *escaped(unsigned char c) {
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  default:
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? "\xef\xbf\xbd" : NULL;
  }
}

void rg_html_text(rg_html *html, const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (at && *at) {
    size_t bytes = character_bytes(at);
    const char *instead = bytes == 0 ? "\xef\xbf\xbd" : bytes == 1 ? escaped(*at) : NULL;
    if (instead)
      put_bytes(html, instead, strlen(instead));
    else
      put_bytes(html, (const char *)at, bytes);
    at += bytes ? bytes : 1;
  }
}

void rg_html_number(rg_html *html, double value, int decimals) {
  char text[400];
  if (!isfinite(value)) {
    rg_html_put(html, "–");
    return;
  }
  snprintf(text, sizeof text, "%.*f", decimals, value);
  for (char *c = text; *c; c++)
    if (*c != '-' && (*c < '0' || *c > '9')) *c = '.';
  const char *start = text;
  if (*start == '-') {
    start++;
    if (strspn(start, "0.") < strlen(start)) rg_html_put(html, "−");
  }
  put_bytes(html, start, strlen(start));
}

void rg_html_count(rg_html *html, int64_t count) {
  static const char *const units[] = {"", " k", " M", " G", " T", " P", " E"};
  double value = (double)count;
  int unit = 0;
  if (count < 0) {
    rg_html_put(html, "–");
    return;
  }
  for (; value >= 999.5 && unit < 6; unit++) value /= 1000;
  rg_html_number(html, value, unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  rg_html_put(html, "%s", units[unit]);
}

int64_t rg_html_key(double value) {
  return isfinite(value) && fabs(value) < 9e9 ? (int64_t)llround(value * 1e9) : INT64_C(-1);
}
