#include "base/hash.h"

#include <string.h>

/* A multiplication spreads each word upwards, the shift brings the high half down again (as in Steele, Lea and Flood's
 * SplitMix64, 2014). */
static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
  return hash ^ hash >> 32;
}

uint64_t rg_hash(uint64_t hash, const void *data, size_t bytes) {
  const uint8_t *at = data;
  uint64_t word;
  hash = mix(hash, bytes);
  for (size_t left = bytes; left; at += sizeof word) {
    size_t now = left < sizeof word ? left : sizeof word;
    word = 0;
    memcpy(&word, at, now);
    hash = mix(hash, word);
    left -= now;
  }
  return hash;
}

uint64_t rg_hash_i64(uint64_t hash, int64_t number) { return mix(hash, (uint64_t)number); }
