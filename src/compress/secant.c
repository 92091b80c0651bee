/* A secant search on logarithmic scales for the price that uses the budget. */
#include <math.h>

#include "compress/job.h"

#define FIRST_PRICE 0.3  /* of the dense price */
#define POWER       2.5  /* of the price that what is lost falls with, until two networks say it */
#define AIM         0.95 /* share of the budget that the next network is meant to use */
#define FARTHEST    1.8  /* between one network's price and the next, where no other one bounds it */
#define PART_LEAST  0.2  /* of the way between two networks */
#define NARROW      1.06 /* between two networks: nothing is won there any more */
#define DOWN        1.2  /* below the one beyond the budget, then, where that is so by a little: noise isn't monotone */
#define LITTLE      1.3  /* share of the budget */
#define SHARE_LEAST 0.3  /* of the budget: a network that uses less says little about where all of it is used */

double rg_bracket_next(const rg_bracket *b) {
  double share = fmax(b->high_share, SHARE_LEAST), price = FIRST_PRICE * b->dense;
  bool below = b->low > b->cheapest, above = b->high < b->dense; /* was one measured? */
  if (below && above && b->high < NARROW * b->low && b->low_share < LITTLE) {
    price = b->low / DOWN;
    return price > b->cheapest ? price : 0.5 * (b->low + b->high);
  }
  if (below && above) {
    double part = log(AIM / share) / log(b->low_share / share);
    price = b->high * pow(b->low / b->high, fmin(fmax(part, PART_LEAST), 1 - PART_LEAST));
  } else if (above) {
    price = b->high * fmax(pow(share / AIM, 1 / POWER), 1 / FARTHEST);
  } else if (below) {
    price = b->low * fmin(pow(b->low_share / AIM, 1 / POWER), FARTHEST);
  }
  return price > b->low && price < b->high ? price : 0.5 * (b->low + b->high);
}

void rg_bracket_add(rg_bracket *b, double price, double share, bool kept) {
  if (!kept) {
    b->low = price;
    b->low_share = share;
    return;
  }
  b->high = price;
  b->high_share = share;
  if (price > b->low) return;
  b->low = b->cheapest; /* below one that was beyond the budget: that one says nothing any more */
  b->low_share = INFINITY;
}
