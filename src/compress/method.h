/* Ways to make layers smaller, to compare with: each is a choice of basis, of fit and of allocation. */
#ifndef RG_COMPRESS_METHOD_H
#define RG_COMPRESS_METHOD_H

#include "compress/job.h"

typedef enum rg_ranks {
  RG_RANKS_DAMAGE, /* least sum of damages for the price */
  RG_RANKS_SHARE,  /* every layer holds the same share of what its basis measures */
  RG_RANKS_NOISE   /* in proportion to how many singular values stand out of noise */
} rg_ranks;

struct rg_method {
  bool weights_alone; /* the basis is the weights' singular value decomposition; no activations */
  bool fisher;        /* errors count by what they do to the network's output; otherwise as a share of their layer's */
  bool sequential;    /* factors are fitted in order (fit.c), in all forms; otherwise the pair's, in closed form */
  bool whitney;       /* one choice a dense layer: as many coordinates as its manifold needs, and a curved way back */
  rg_ranks ranks;
};

const rg_method *rg_method_of(rango_method method);

/* The basis of a pair from the weights alone (Eckart and Young 1936): tail[r] is the squared error of the best
 * approximation of rank r. */
rango_status rg_basis_weights(const rg_site *site, rg_basis *basis);

/* How many of the `count` squared singular values (descending) of a matrix of `short_side` x `long_side` stand out of
 * noise: the rank of the global solution of empirical variational Bayes matrix factorisation (Nakajima, Sugiyama,
 * Babacan, Tomioka 2013, theorem 2 and corollary 3), whose noise variance is found by a search along a line. */
int64_t rg_vbmf_rank(const double *squares, int64_t count, int64_t short_side, int64_t long_side);

/* Fills job->ranks from the bases' singular values: at least 1. */
rango_status rg_method_ranks(rg_job *job);

/* Choices [sites] whose prices sum to at most `limit`, as the method chooses them. False: nothing is that cheap. */
bool rg_method_allocate(const rg_job *job, double limit, size_t *choices);

/* Fills job->codes: form dense where a layer is none of those that can be coded, or nothing is won. Fitted on the
 * original network's values. */
rango_status rg_whitney_codes(rg_job *job);
/* A copy of a site's code. */
rango_status rg_whitney_factors(const rg_job *job, size_t site, rg_factors *out);

/* Factors [sites] for the choices. */
rango_status rg_method_fit(const rg_job *job, const rg_candidate *choices, rg_factors *factors);

#endif
