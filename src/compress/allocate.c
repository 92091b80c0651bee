/* A form and a rank for every site: Lagrangian allocation (Everett 1963; Shoham and Gersho 1988) and a greedy fill. */
#include <math.h>
#include <string.h>

#include "compress/compress.h"

#define SEARCH_ROUNDS 100
#define SMALL_RANK    32
#define MIDDLE_RANK   128
#define MIDDLE_STEP   4
#define LARGE_STEP    8

bool rg_rank_is_useful(int64_t rank) {
  return rank >= 1 && (rank <= SMALL_RANK || rank % (rank <= MIDDLE_RANK ? MIDDLE_STEP : LARGE_STEP) == 0);
}

/* The candidate with the least damage + multiplier * price; the cheaper one of equals. */
static size_t best_candidate(const rg_candidates *table, double multiplier) {
  size_t best = 0;
  double best_value = INFINITY;
  for (size_t i = 0; i < table->count; i++) {
    const rg_candidate *c = &table->items[i];
    double value = c->damage + multiplier * c->price;
    if (value < best_value || (value == best_value && c->price < table->items[best].price)) {
      best = i;
      best_value = value;
    }
  }
  return best;
}

static size_t cheapest_candidate(const rg_candidates *table) {
  size_t best = 0;
  for (size_t i = 1; i < table->count; i++) {
    const rg_candidate *c = &table->items[i], *b = &table->items[best];
    if (c->price < b->price || (c->price == b->price && c->damage < b->damage)) best = i;
  }
  return best;
}

static double total_price(const rg_candidates *tables, size_t count, const size_t *choices) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += tables[i].items[choices[i]].price;
  return sum;
}

static double choose_all(const rg_candidates *tables, size_t count, double multiplier, size_t *choices) {
  for (size_t i = 0; i < count; i++) choices[i] = best_candidate(&tables[i], multiplier);
  return total_price(tables, count, choices);
}

/* Spends what the convex hull's corners leave: the change with the most damage saved for its price, while one fits. */
static void fill_greedily(const rg_candidates *tables, size_t count, double left, size_t *choices) {
  for (;;) {
    size_t site = count, to = 0;
    double best = 0;
    for (size_t i = 0; i < count; i++) {
      const rg_candidate *now = &tables[i].items[choices[i]];
      for (size_t j = 0; j < tables[i].count; j++) {
        const rg_candidate *c = &tables[i].items[j];
        double price = c->price - now->price, saved = now->damage - c->damage;
        if (price > left || saved <= 0) continue;
        double value = price > 0 ? saved / price : INFINITY;
        if (value <= best) continue;
        best = value;
        site = i;
        to = j;
      }
    }
    if (site == count) return;
    left -= tables[site].items[to].price - tables[site].items[choices[site]].price;
    choices[site] = to;
  }
}

bool rg_allocate(const rg_candidates *tables, size_t count, double limit, size_t *choices) {
  for (size_t i = 0; i < count; i++) choices[i] = cheapest_candidate(&tables[i]);
  if (total_price(tables, count, choices) > limit) return false;
  double low = 0, high = 1;
  if (choose_all(tables, count, 0, choices) > limit) {
    while (choose_all(tables, count, high, choices) > limit && high < 1e30) high *= 16;
    for (int round = 0; round < SEARCH_ROUNDS; round++) {
      double middle = low > 0 ? sqrt(low * high) : high * 1e-3;
      if (low == 0 && middle < 1e-30) break;
      if (choose_all(tables, count, middle, choices) > limit)
        low = middle;
      else
        high = middle;
    }
    /* Prices that differ by rounding alone can defeat every multiplier: the cheapest choices do fit. */
    if (choose_all(tables, count, high, choices) > limit)
      for (size_t i = 0; i < count; i++) choices[i] = cheapest_candidate(&tables[i]);
  }
  fill_greedily(tables, count, limit - total_price(tables, count, choices), choices);
  return true;
}
