#include "base/random.h"

#include <math.h>

static uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static uint64_t split_mix(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void rg_random_seed(rg_random *random, uint64_t seed) {
  for (int i = 0; i < 4; i++) random->state[i] = split_mix(&seed);
}

uint64_t rg_random_next(rg_random *random) {
  uint64_t *s = random->state;
  uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

double rg_random_uniform(rg_random *random) { return (double)(rg_random_next(random) >> 11) * 0x1p-53; }

double rg_random_normal(rg_random *random) {
  const double two_pi = 6.28318530717958647692;
  double radius = sqrt(-2 * log(1 - rg_random_uniform(random))); /* 1 - u is in (0, 1] */
  return radius * cos(two_pi * rg_random_uniform(random));
}

uint64_t rg_random_below(rg_random *random, uint64_t bound) {
  uint64_t rest = -bound % bound, value; /* 2^64 mod bound: values under it would come once too often */
  do value = rg_random_next(random);
  while (value < rest);
  return value % bound;
}
