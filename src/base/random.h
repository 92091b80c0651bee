/* Repeatable random numbers: SplitMix64 seeding xoshiro256** (Blackman and Vigna, 2018). */
#ifndef RG_BASE_RANDOM_H
#define RG_BASE_RANDOM_H

#include <stdint.h>

typedef struct rg_random {
  uint64_t state[4];
} rg_random;

void rg_random_seed(rg_random *random, uint64_t seed);
uint64_t rg_random_next(rg_random *random);
double rg_random_uniform(rg_random *random);                 /* [0, 1) */
double rg_random_normal(rg_random *random);                  /* mean 0, variance 1 (Box and Muller, one value a call) */
uint64_t rg_random_below(rg_random *random, uint64_t bound); /* 0 … bound-1, unbiased; bound > 0 */

#endif
