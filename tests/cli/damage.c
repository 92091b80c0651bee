/* Writes a damaged copy of a file: damage IN OUT HOW SEED, HOW being
 *   cut    cut short at a random place
 *   flip   one random byte changed
 *   near   one byte changed that lies near text: in a model, among names and lengths rather than weights */
#include "base/random.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *data;
static size_t bytes;

static bool read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) return false;
  bytes = (size_t)ftell(file);
  rewind(file);
  data = malloc(bytes);
  bool done = data && fread(data, 1, bytes, file) == bytes;
  fclose(file);
  return done;
}

static bool is_text(size_t i) { return i < bytes && data[i] >= 0x20 && data[i] < 0x7f; }

/* Four bytes of text within the next twelve. */
static bool is_near_text(size_t i) {
  for (size_t j = i; j < i + 12; j++)
    if (is_text(j) && is_text(j + 1) && is_text(j + 2) && is_text(j + 3)) return true;
  return false;
}

int main(int count, char **arguments) {
  if (count != 5 || !read_file(arguments[1]) || bytes == 0) return 1;
  rg_random random;
  rg_random_seed(&random, strtoull(arguments[4], NULL, 10));
  size_t place = (size_t)rg_random_below(&random, bytes);
  if (strcmp(arguments[3], "cut") == 0) {
    bytes = place;
  } else {
    for (int i = 0; i < 100000 && strcmp(arguments[3], "near") == 0 && !is_near_text(place); i++)
      place = (size_t)rg_random_below(&random, bytes);
    data[place] ^= (unsigned char)(1 + rg_random_below(&random, 255));
  }
  FILE *file = fopen(arguments[2], "wb");
  return !file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0;
}
