/* The secant search's next price, on losses of known form. */
#include <math.h>

#include "compress/job.h"
#include "support/check.h"

typedef double (*loss)(double price);

static double square(double price) { return 0.04 / (price * price); }    /* 1 at 0.2 */
static double steep(double price) { return pow(0.55 / price, 6); }       /* 1 at 0.55 */
static double step(double price) { return price < 0.37 ? INFINITY : 0; } /* says nothing on either side */
static double noisy(double price) { return 0.1 / price + 0.2 * sin(900 * price); }

/* A network just beyond the budget between better ones: 1 at 0.2, and from 0.23 to 0.255 */
static double bump(double price) { return price > 0.23 && price < 0.255 ? 1.05 : 0.2 / price; }

/* Follows the search; returns the cheapest price whose loss is at most 1. */
static double follow(loss of, double cheapest, int probes) {
  rg_bracket b = {cheapest, 1, .low = cheapest, .high = 1, .low_share = INFINITY};
  for (int i = 0; i < probes; i++) {
    double price = rg_bracket_next(&b), share = of(price);
    assert_true(price > b.cheapest && price < b.high && price != b.low);
    rg_bracket_add(&b, price, share, share <= 1);
  }
  return b.high;
}

static void a_power_of_the_price_is_found_in_five(void **state) {
  (void)state;
  double found = follow(square, 0.02, 5);
  if (!(found >= 0.2 && found < 0.2 * 1.03)) fail_msg("0.2 is found as %g", found);
  found = follow(steep, 0.02, 5);
  if (!(found >= 0.55 && found < 0.55 * 1.03)) fail_msg("0.55 is found as %g", found);
}

static void any_loss_is_closed_in_on(void **state) {
  (void)state;
  double found = follow(step, 0.02, 30);
  if (!(found >= 0.37 && found < 0.38)) fail_msg("0.37 is found as %g", found);
  found = follow(noisy, 0.02, 30);
  assert_true(noisy(found) <= 1);
  found = follow(step, 0.9, 10); /* the first price is not among those that there are */
  assert_true(found > 0.9 && found < 0.91);
}

static void below_a_network_beyond_the_budget_it_looks_again(void **state) {
  (void)state;
  double found = follow(bump, 0.02, 8);
  if (!(found >= 0.2 && found < 0.23)) fail_msg("0.2 is found as %g", found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_power_of_the_price_is_found_in_five),
      cmocka_unit_test(any_loss_is_closed_in_on),
      cmocka_unit_test(below_a_network_beyond_the_budget_it_looks_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
