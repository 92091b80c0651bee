/* Pictures as PNG (W3C recommendation, 2003), uncompressed: deflate's stored blocks (RFC 1951, 3.2.4). They are a few
 * dozen pixels wide, so that compression would win little. */
#include <math.h>

#include "base/memory.h"
#include "report/html.h"

#define STORED_MAX  65535
#define HEADERS_MAX 128 /* bytes beside the rows and their blocks */

typedef struct png {
  unsigned char *data;
  size_t bytes;
  uint32_t crc; /* of the chunk being written */
} png;

static void put(png *p, unsigned byte) {
  p->data[p->bytes++] = (unsigned char)byte;
  p->crc ^= byte & 0xff;
  for (int bit = 0; bit < 8; bit++) p->crc = p->crc & 1 ? p->crc >> 1 ^ UINT32_C(0xedb88320) : p->crc >> 1;
}

static void put32(png *p, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) put(p, number >> shift & 0xff);
}

static void begin_chunk(png *p, uint32_t bytes, const char *name) {
  put32(p, bytes);
  p->crc = UINT32_C(0xffffffff);
  for (int i = 0; i < 4; i++) put(p, (unsigned char)name[i]);
}

static void end_chunk(png *p) { put32(p, p->crc ^ UINT32_C(0xffffffff)); }

/* Rows [height][1 + row bytes], each behind its filter byte, as one zlib stream. */
static void put_data(png *p, const unsigned char *rows, uint32_t bytes) {
  uint32_t blocks = (bytes + STORED_MAX - 1) / STORED_MAX, a = 1, b = 0;
  begin_chunk(p, 2 + 5 * blocks + bytes + 4, "IDAT");
  put(p, 0x78);
  put(p, 0x01);
  for (uint32_t at = 0; at < bytes;) {
    uint32_t length = bytes - at < STORED_MAX ? bytes - at : STORED_MAX;
    put(p, at + length == bytes);
    put(p, length & 0xff);
    put(p, length >> 8);
    put(p, ~length & 0xff);
    put(p, ~length >> 8 & 0xff);
    for (uint32_t i = 0; i < length; i++, at++) {
      put(p, rows[at]);
      a = (a + rows[at]) % 65521;
      b = (b + a) % 65521;
    }
  }
  put32(p, b << 16 | a);
  end_chunk(p);
}

static void encode(png *p, const unsigned char *rows, uint32_t width, uint32_t height, bool colour) {
  static const unsigned char signature[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
  for (size_t i = 0; i < sizeof signature; i++) put(p, signature[i]);
  begin_chunk(p, 13, "IHDR");
  put32(p, width);
  put32(p, height);
  put(p, 8);
  put(p, colour ? 2 : 0);
  for (int i = 0; i < 3; i++) put(p, 0); /* compression, filter, interlace */
  end_chunk(p);
  put_data(p, rows, height * (1 + width * (colour ? 3 : 1)));
  begin_chunk(p, 0, "IEND");
  end_chunk(p);
}

static unsigned char byte_of(double share) {
  return (unsigned char)lround(255 * (share < 0 ? 0 : share > 1 ? 1 : share));
}

/* value in [-1, 1]: blue, white, red. */
static void diverging(double value, unsigned char *rgb) {
  static const double red[] = {0.73, 0.09, 0.13}, blue[] = {0.09, 0.29, 0.68};
  const double *end = value < 0 ? blue : red;
  double share = fabs(value);
  for (int i = 0; i < 3; i++) rgb[i] = byte_of(0.97 + share * (end[i] - 0.97));
}

static void find_range(const rango_picture *picture, double *low, double *high) {
  int count = picture->channels * picture->height * picture->width;
  *low = *high = picture->values[0];
  for (int i = 1; i < count; i++) {
    *low = fmin(*low, picture->values[i]);
    *high = fmax(*high, picture->values[i]);
  }
}

static void fill_rows(const rango_picture *picture, rg_tone tone, bool colour, unsigned char *row) {
  double low, high;
  int plane = picture->height * picture->width;
  find_range(picture, &low, &high);
  double size = fmax(fabs(low), fabs(high)), span = high - low;
  for (int y = 0; y < picture->height; y++) {
    *row++ = 0;
    for (int x = 0; x < picture->width; x++) {
      const float *value = picture->values + y * picture->width + x;
      if (tone == RG_TONE_WEIGHTS && picture->channels == 1) {
        diverging(size > 0 ? *value / size : 0, row);
        row += 3;
        continue;
      }
      for (int c = 0; c < (colour ? 3 : 1); c++) {
        double v = value[c * plane];
        *row++ = tone == RG_TONE_WEIGHTS ? byte_of(size > 0 ? 0.5 + 0.5 * v / size : 0.5)
                                         : byte_of(span > 0 ? (v - low) / span : 0.5);
      }
    }
  }
}

static void put_base64(rg_html *html, const unsigned char *data, size_t bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes; i += 3) {
    size_t left = bytes - i;
    unsigned group =
        (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
    char text[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                    left > 2 ? digits[group & 63] : '='};
    rg_file_writer_write(html->file, text, sizeof text);
  }
}

void rg_html_png(rg_html *html, const rango_picture *picture, rg_tone tone) {
  bool colour = picture->channels == 3 || tone == RG_TONE_WEIGHTS;
  size_t rows_bytes = (size_t)picture->height * (1 + (size_t)picture->width * (colour ? 3 : 1));
  png p = {0};
  unsigned char *rows = NULL;
  rango_status status;
  rg_html_put(html, "data:image/png;base64,");
  RG_TRY_DONE(rg_alloc(rows_bytes, RG_OUT(&rows)));
  RG_TRY_DONE(rg_alloc(rows_bytes + 5 * (rows_bytes / STORED_MAX + 1) + HEADERS_MAX, RG_OUT(&p.data)));
  fill_rows(picture, tone, colour, rows);
  encode(&p, rows, (uint32_t)picture->width, (uint32_t)picture->height, colour);
  put_base64(html, p.data, p.bytes);
done:
  if (html->status == RANGO_OK) html->status = status;
  rg_free(rows);
  rg_free(p.data);
}
