/* The first factor for a given second one, against the normal equations solved directly. */
#include <math.h>

#include "compress/networks.h"
#include "compress/unfolding.h"

enum { TAPS = 3, INNER = 4, RANK = 2, OUTPUTS = 5, INPUTS = TAPS * INNER, UNKNOWNS = RANK * INNER };

static void fill(double *to, int count, rg_random *random) {
  for (int i = 0; i < count; i++) to[i] = rg_random_normal(random);
}

/* sum over t, s of (B_t B_s')[r][q] C_st[j][i] v[q][j] = sum over t of (B_t cross_t')[r][i], solved for v. */
static void solve_directly(const double *solution, const double *c, const double *cross, double *v) {
  double a[UNKNOWNS * UNKNOWNS] = {0};
  memset(v, 0, UNKNOWNS * sizeof *v);
  for (int t = 0; t < TAPS; t++)
    for (int r = 0; r < RANK; r++)
      for (int i = 0; i < INNER; i++)
        for (int o = 0; o < OUTPUTS; o++) {
          double b = solution[(r * TAPS + t) * OUTPUTS + o];
          v[r * INNER + i] += b * cross[(t * INNER + i) * OUTPUTS + o];
          for (int s = 0; s < TAPS; s++)
            for (int q = 0; q < RANK; q++)
              for (int j = 0; j < INNER; j++)
                a[(r * INNER + i) * UNKNOWNS + q * INNER + j] +=
                    b * solution[(q * TAPS + s) * OUTPUTS + o] * c[(s * INNER + j) * INPUTS + t * INNER + i];
        }
  check_ok(rg_ridge_solve(a, UNKNOWNS, 0, v, 1));
}

static void first_factors_solve_their_normal_equations(void **state) {
  (void)state;
  double root[INPUTS * INPUTS], c[INPUTS * INPUTS], weight[OUTPUTS * INPUTS], cross[INPUTS * OUTPUTS];
  double solution[RANK * TAPS * OUTPUTS], v[UNKNOWNS], want[UNKNOWNS];
  rg_random random;
  rg_random_seed(&random, 11);
  for (int round = 0; round < 5; round++) {
    rg_site site = {.inputs = INPUTS, .outputs = OUTPUTS};
    rg_unfolding u = {.site = &site, .taps = TAPS, .inner = INNER, .rank = RANK};
    fill(root, INPUTS * INPUTS, &random);
    fill(weight, OUTPUTS * INPUTS, &random);
    fill(solution, RANK * TAPS * OUTPUTS, &random);
    fill(v, UNKNOWNS, &random);
    rg_matmul(true, false, INPUTS, INPUTS, INPUTS, 1.0, root, root, 0.0, c);
    rg_unfolding_set(&u, c, NULL, weight, cross);
    solve_directly(solution, c, cross, want);
    check_ok(rg_unfolding_improve(&u, solution, v));
    for (int i = 0; i < UNKNOWNS; i++)
      if (!(fabs(v[i] - want[i]) < 1e-3 * (1 + fabs(want[i]))))
        fail_msg("element %d: %g, expected %g", i, v[i], want[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(first_factors_solve_their_normal_equations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
