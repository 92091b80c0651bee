/* EXIF's orientation: the one thing of it that changes what an image shows. */
#include "data_image.h"

static uint32_t number(const uint8_t *at, int bytes, bool big) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << 8 * (big ? bytes - 1 - i : i);
  return value;
}

/* TIFF 6.0: byte order, 42, offset of the first directory; there a count and entries of 12 bytes (tag, type, count,
 * value). */
int image_exif_orientation(const uint8_t *tiff, size_t bytes) {
  if (bytes < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  bool big = tiff[0] == 'M';
  size_t at = number(tiff + 4, 4, big);
  if (number(tiff + 2, 2, big) != 42 || at > bytes - 2) return 1;
  size_t entries = number(tiff + at, 2, big);
  at += 2;
  for (size_t i = 0; i < entries && bytes - at >= 12; i++, at += 12) {
    if (number(tiff + at, 2, big) != 0x0112) continue;
    uint32_t value = number(tiff + at + 8, 2, big);
    return value >= 1 && value <= 8 ? (int)value : 1;
  }
  return 1;
}
