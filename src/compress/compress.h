/*
 * Compression, step by step:
 *
 *   sites       where a weight can be factored, in the canonical copy of the model
 *   statistics  what the calibration rows say about each site's input and output
 *   fisher      what an error at a site's output does to the model's output: the metric of all that follows
 *   basis       one decomposition a site and form, whose leading directions serve every rank
 *   sensitivity the same as fisher, measured, for models with an operator that has no adjoint
 *   allocate    a form and a rank for every site, within a cost
 *   fit         factors for these ranks, site after site, on inputs that the smaller network really makes
 *   rewrite     two or three standard ONNX nodes in place of one
 *   search      the smallest cost within the budget
 *
 * A site's weight is a matrix [outputs][inputs]: y = W x + b. For a convolution x is the im2col row in the order
 * [kernel w][kernel h][channel], so that every form's first factor works on contiguous pieces of it:
 *
 *   form       first factor     then                        pieces (taps) of a row
 *   pair       k x k            1 x 1                       1
 *   spatial    kh x 1           1 x kw                      kw
 *   pointwise  1 x 1            k x k                       kw * kh
 *   tucker     1 x 1            k x k, 1 x 1                kw * kh
 *   whitney    all of x         a Gemm-Relu-Gemm back       1
 *   split      all of x         a product for each part     1
 *
 * One-dimensional convolutions have kernel h = 1.
 *
 * An embedding table read by Gather is a layer whose input is one-hot, and never made: embedding.c. The input weights
 * of an LSTM, GRU or RNN are a layer whose outputs, [direction][gate][unit], stay inside of the node: only `input` is a
 * value that can be had. Its recurrent weights stay as they are: the operators have no place for a second factor.
 */
#ifndef RG_COMPRESS_COMPRESS_H
#define RG_COMPRESS_COMPRESS_H

#include "compress/dataset.h"
#include "linalg/linalg.h"
#include "ops/support.h"
#include "passes/passes.h"
#include "rango_compress.h"

/* A canonical, resolved copy of a model: what every step works on. */
rango_status rg_canonical_copy(const rango_model *model, rango_model **out);

/* ---- products of one input, next to each other ---- */
typedef struct rg_merged {
  int *items; /* node ids of products that were several */
  size_t count, capacity;
} rg_merged;

/* Makes MatMuls of one input, whose weights are of one shape, one MatMul with a Split behind: two to RG_PARTS_MAX. */
rango_status rg_merge_products(rango_model *model, rg_merged *out);
void rg_merged_free(rg_merged *merged);
bool rg_is_merged(const rg_merged *merged, int node);

/* ---- sites ---- */
typedef enum rg_site_kind {
  RG_SITE_GEMM,
  RG_SITE_MATMUL,
  RG_SITE_CONV,
  RG_SITE_EMBEDDING,
  RG_SITE_RECURRENT,
} rg_site_kind;
typedef enum rg_form {
  RG_FORM_DENSE = 0,
  RG_FORM_PAIR,
  RG_FORM_SPATIAL,
  RG_FORM_POINTWISE,
  RG_FORM_TUCKER,
  RG_FORM_WHITNEY, /* no basis: whitney.c */
  RG_FORM_SPLIT,   /* parts.c */
} rg_form;
#define RG_FORM_COUNT 7
#define RG_PARTS_MAX  4

typedef struct rg_site {
  rg_site_kind kind;
  int index;         /* among the sites, in topological order */
  int node, add;     /* node ids in the canonical model; add: the bias of a MatMul, -1 none */
  int begin, end;    /* its nodes' places in the main graph's order: [begin, end) */
  int input, output; /* value ids */
  int skip; /* id of the value that alone is added to the output (a residual connection), made before `begin`; -1 none
             */
  const char *name, *op;
  const rango_tensor *weight, *bias; /* as in the model; bias NULL: none */
  bool biased; /* recurrent: the node has a bias already; `bias` is NULL all the same, dense ones aren't corrected */
  int64_t inputs, outputs;
  int64_t channels, kernel_h, kernel_w; /* convolutions */
  int64_t groups;                       /* of a convolution, `channels` of all of them together; 1 otherwise */
  bool merged;                          /* was several layers: rg_merge_products */
  int64_t parts;                        /* that the outputs are cut in behind, each of as many; 1: they aren't */
  int spatial;                          /* axes of the convolution: 1 or 2; 0 otherwise */
  rg_window window;
  const float *matrix; /* [outputs][inputs], Gemm's alpha folded in: the weight itself where it lies like this */
  float *own_matrix;   /* otherwise; NULL */
  float *offset;       /* [outputs], Gemm's beta folded in; zeros without bias */
  int64_t positions;   /* output positions of one row of data (1 for a Gemm); set by the statistics */
  int64_t input_h, input_w, output_h, output_w;
} rg_site;

typedef struct rg_sites {
  rg_site *items;
  size_t count, capacity;
} rg_sites;

/* Puts each MatMul's bias Add right behind it and finds the sites of a canonical, resolved model: Gemm, MatMul with a
 * constant matrix, Conv with one or two spatial axes, Gather of a long table's rows, the input
 * weights of LSTM, GRU and RNN; float32, weight used once, both sides (of each group) at least 2. */
rango_status rg_sites_find(rango_model *model, rg_sites *out);
void rg_sites_free(rg_sites *sites);
/* A constant float32 weight of that many axes that this node alone uses, or NULL. */
const rango_tensor *rg_own_weight(const rg_node *node, int input, int rank_low, int rank_high);
/* The Add of a constant bias that alone uses a MatMul's output, or NULL. */
rg_node *rg_bias_add(const rg_node *matmul, int64_t outputs, const rango_tensor **bias);
#define RG_WEIGHT_LARGE (INT64_C(32) << 20) /* bytes */
bool rg_site_is_large(const rg_site *site);
/* After a large weight was read: its pages, where they are a file's, needn't stay in memory. */
void rg_site_forget_pages(const rg_site *site);
/* Pieces that the first factor of a form sees a row as. */
int64_t rg_form_taps(const rg_site *site, rg_form form);

/* Samples of a site's input: which positions of a batch, and the rows there. */
typedef struct rg_sampling {
  uint64_t seed;
  int64_t wanted; /* rows a site over the whole data set, at most */
} rg_sampling;
/* Rows that a batch of `batch_rows` of `total_rows` data rows gives, of `available` positions. */
int64_t rg_sample_count(const rg_sampling *sampling, int64_t available, int64_t batch_rows, int64_t total_rows);
/* Output positions that `input` holds; sets the site's positions and sizes from it (`batch_rows` data rows). */
rango_status rg_site_measure(rg_site *site, const rango_tensor *input, int64_t batch_rows, int64_t *available);
/* Chooses `count` of `available` positions of batch number `batch`, ascending. The same arguments always choose the
 * same. */
void rg_sample_positions(const rg_sampling *sampling, const rg_site *site, int64_t batch, int64_t available,
                         int64_t count, int64_t *positions);
/* The site's input at these positions (NULL: the first `count`): rows [count][inputs]. */
rango_status rg_site_gather(const rg_site *site, const rango_tensor *input, const int64_t *positions, int64_t count,
                            float *rows);
/* A tensor of the shape of the site's output at these positions: rows [count][outputs]. */
rango_status rg_site_gather_output(const rg_site *site, const rango_tensor *output, const int64_t *positions,
                                   int64_t count, float *rows);

/* ---- calibration data in batches ---- */
typedef struct rg_calibration {
  const rango_dataset *data;
  int64_t batch, batches;
  int64_t fit_batches; /* of these, how many the sequential fit keeps in memory; 0: all */
  rg_sampling sampling;
  int64_t memory_bytes;
  bool means_only;        /* statistics without covariances */
  int64_t gradient_rows;  /* data rows whose gradients make the Fisher metric */
  int64_t gradient_draws; /* gradients of each of them */
  bool class_scores;      /* the model's first output holds scores of classes: what they have in common doesn't count */
  int64_t refit_columns;  /* layers of at most so many inputs have both factors fitted anew; wider ones the last */
  double *ridges;         /* [sites] chosen by the first fit for later ones, until then 0; NULL: each fit chooses */
  rango_session_options session;
  rango_progress_function progress;
  void *user;
} rg_calibration;

rango_status rg_calibration_progress(const rg_calibration *calibration, double fraction, const char *stage);

/* ---- statistics ---- */
typedef struct rg_statistics {
  int64_t rows;             /* sampled */
  float *outputs;           /* [rows][outputs]: the original layer's outputs, bias included */
  float *skip;              /* [rows][outputs]: what is added to them; NULL: nothing is */
  double *input_mean;       /* [inputs] */
  double *output_mean;      /* [outputs] */
  double *input_covariance; /* [inputs][inputs], where a form needs it, else NULL; until the bases are made */
  float *covariance;        /* the same, rounded, afterwards: what the fit shrinks to. NULL where memory is short */
  double *metric;           /* [outputs][outputs]: L, lower triangular, of the Fisher matrix L L'; NULL: the identity */
  int64_t *balance; /* [inputs] of an embedding: what rg_embedding_leave_out needs, until its readings are known */
} rg_statistics;

/* Called when statistics [begin, end) are finished, before the next ones take memory. */
typedef rango_status (*rg_statistics_visitor)(void *user, size_t begin, size_t end);
/* Runs the model over the calibration rows and fills statistics [sites->count]. A NaN names the data row. With a
 * visitor (or NULL) the second half of each pass's progress is the visitor's. */
rango_status rg_statistics_collect(const rango_model *model, rg_sites *sites, const rg_calibration *calibration,
                                   rg_statistics *statistics, rg_statistics_visitor visit, void *user);
/* The same that may be interrupted: goes on from what the checkpoint's file holds, and keeps it up to date. */
struct rg_collection;
struct rg_checkpoint;
rango_status rg_statistics_continue(const rango_model *model, const rg_calibration *calibration,
                                    struct rg_collection *collection, struct rg_checkpoint *checkpoint);
void rg_statistics_free(rg_statistics *statistics);
#define RG_COVARIANCE_MAX 6144 /* inputs: beyond, a covariance costs more than the forms that need it can win */
bool rg_site_wants_covariance(const rg_site *site);
/* Keeps a rounded copy of the covariance, or (keep false) none. */
rango_status rg_statistics_settle(const rg_site *site, bool keep, rg_statistics *statistics);

/* ---- the Fisher metric ---- */
/* Before or after the rest of the statistics: fills statistics[i].metric from the gradients of the model's first output
 * over the calibration rows: the expected squared change of the output for an error e at a site is e' G e, summed over
 * the site's positions. *possible false: an operator in the way has no adjoint; nothing is filled. */
rango_status rg_fisher_collect(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                               rg_statistics *statistics, bool *possible);
/* G [n][n], the lower triangle, to its factor L, after adding a small multiple of the identity. */
rango_status rg_metric_factor(double *g, int64_t n);
/* With L of a metric (NULL: nothing is done): a [n][columns] becomes L' a, and back. */
void rg_metric_apply(const double *metric, int64_t n, int64_t columns, double *a);
void rg_metric_undo(const double *metric, int64_t n, int64_t columns, double *a);
/* a [rows][n] becomes a L. */
void rg_metric_apply_right(const double *metric, int64_t rows, int64_t n, double *a);

/* ---- bases ---- */
typedef struct rg_basis {
  int64_t max_rank;
  int64_t taps, inner; /* inputs = taps * inner */
  float *first;        /* [max_rank][inner]: leading rows serve any rank. Tucker: NULL, the pointwise form's serves */
  rg_buffer *scratch;  /* that `first` lies in, where it is large; NULL: it is memory of its own */
  float *second;       /* pair, split: [max_rank][outputs]; others NULL: fitted for each rank */
  int *parts;          /* split: [max_rank], whose part of the outputs a direction is, `second` is 0 elsewhere */
  double *tail;        /* [max_rank + 1]: the layer's squared error in the metric at each rank */
  int64_t grid_count;  /* Tucker: first ranks looked at, ascending */
  int64_t *grid;       /* [grid_count] */
  double *grid_tails;  /* [grid_count][outputs + 1]: error at each second rank */
} rg_basis;

/* `basis->max_rank` 0: the form doesn't serve this site. */
rango_status rg_basis_pair(const rg_site *site, const rg_statistics *statistics, rg_basis *basis);
/* The spatial, pointwise and Tucker forms of a convolution. */
rango_status rg_basis_convolution(const rg_site *site, const rg_statistics *statistics, rg_basis *spatial,
                                  rg_basis *pointwise, rg_basis *tucker);
/* The pair form of a convolution of several groups, of one rank for each: `first` and `second`, and factors made
 * of them, have groups rows (columns) a rank. Without statistics, of its weight alone. */
rango_status rg_basis_grouped(const rg_site *site, const rg_statistics *statistics, rg_basis *basis);
/* How many parts, next to each other, a layer's outputs are cut in by what reads them; 1: none are seen. */
int64_t rg_parts_of(const rg_value *output, int64_t outputs);
/* The split form of a layer whose outputs are cut in parts. */
rango_status rg_basis_split(const rg_site *site, const rg_statistics *statistics, rg_basis *basis);
/* Covariance of the sampled outputs: [outputs][outputs]. */
rango_status rg_output_covariance(const rg_site *site, const rg_statistics *statistics, double *covariance);
void rg_basis_free(rg_basis *basis);
/* After `first` was read, as rg_site_forget_pages. */
void rg_basis_forget_pages(const rg_basis *basis);
/* tail[r] = the sum of the values from r on. */
rango_status rg_basis_tail(const double *values, int64_t count, rg_basis *basis);
/* second [rank][outputs] = b L^-1, b [rank][outputs]. */
rango_status rg_basis_second(const rg_statistics *statistics, int64_t rank, int64_t n, const double *b,
                             rg_basis *basis);

/* ---- costs and allocation ---- */
typedef struct rg_cost {
  double params, macs, milliseconds;
} rg_cost;

typedef struct rg_candidate {
  rg_form form;
  int rank, rank2; /* rank2: of Tucker's second cut, hidden units of Whitney's way back, otherwise 0 */
  double damage;   /* to the model's output, as a squared error */
  double price;    /* in the objective's unit, as a share of the original model's */
  rg_cost cost;
} rg_candidate;

typedef struct rg_candidates {
  rg_candidate *items; /* [0] is dense */
  size_t count, capacity;
} rg_candidates;

/* Ranks worth looking at: all up to 32, then multiples of 4, beyond 128 of 8. */
bool rg_rank_is_useful(int64_t rank);
/* One choice a table so that the sum of prices is at most `limit` and the sum of damages is least, up to the convex
 * hull (Everett 1963: one Lagrange multiplier for all) and a greedy fill of what is left. choices [count]. False when
 * even the cheapest choices cost more; they are returned then. */
bool rg_allocate(const rg_candidates *tables, size_t count, double limit, size_t *choices);

/* ---- factors ---- */
typedef struct rg_factors {
  rg_form form;
  int64_t rank, rank2;
  float *first;  /* [rank][inner]; dense: a corrected weight [outputs][inputs], or NULL to leave it alone */
  float *middle; /* Tucker: [rank2][taps][rank]; Whitney: [rank2][rank] */
  float *second; /* [outputs][taps][rank]; pair, Tucker and Whitney: [outputs][rank or rank2] */
  float *offset; /* [outputs]; dense: the corrected bias, or NULL to leave it alone */
  double error;  /* relative error of the output on the calibration rows, ||y - target|| / ||target - mean|| */
  float *first_offset, *middle_offset; /* Whitney: [rank], [rank2] */
  int *parts;                          /* split: [rank], whose part of the outputs a direction is */
} rg_factors;

/* Frees the values; what was chosen and how well it fits stay. */
void rg_factors_forget(rg_factors *factors);
void rg_factors_free(rg_factors *factors);

/* ---- regression.c: targets [rows][outputs] on z [rows][columns], which come in blocks ---- */
typedef struct rg_regression {
  int64_t columns, outputs, rows;
  double *z_mean, *t_mean; /* until closed: what is subtracted, and the sums of the rest */
  double *z_sum, *t_sum;
  double *gram;    /* [columns][columns]: covariance of z; until closed the sums' lower triangle */
  double *cross;   /* [columns][outputs] */
  double variance; /* of the targets, summed over outputs */
  double *b;       /* [columns][outputs]: the solution, target = b' z + offset */
  double error;    /* mean squared error of the solution on these rows */
} rg_regression;

rango_status rg_regression_open(int64_t columns, int64_t outputs, rg_regression *out);
rango_status rg_regression_add(rg_regression *r, const float *z, const float *targets, int64_t count);
/* After the last block: moments instead of sums. */
void rg_regression_close(rg_regression *r);
void rg_regression_free(rg_regression *r);
/* The moments of the rows of both, which are closed, in `r`. */
void rg_regression_merge(rg_regression *r, const rg_regression *other);
/* Ridge regression that shrinks to `prior` [columns][outputs] (NULL: to 0); `ridge` of the mean variance of z. */
rango_status rg_regression_solve(rg_regression *r, const double *prior, double ridge);
/* The same where the outputs are in `groups` of as many that each depend on their own z alone: group_of [columns] says
 * whose a column is; NULL: column i is of group i % groups. */
rango_status rg_regression_solve_groups(rg_regression *r, int64_t groups, const int *group_of, const double *prior,
                                        double ridge);
/* Sets the error of the solution in `b`. */
rango_status rg_regression_measure(rg_regression *r);
/* The mean squared error, in the metric, of the solution of `r` on the rows of `held`, each with its own offset; less
 * the variance of the targets, which is the same for every solution. */
rango_status rg_regression_validate(const rg_regression *r, const rg_regression *held, const double *metric,
                                    double *out);
/* Replaces the solution by its best approximation of a rank, in the metric: b' = second first with first
 * [rank][columns] and second [outputs][rank] (reduced-rank regression; Izenman 1975). */
rango_status rg_regression_reduce(rg_regression *r, const double *metric, int64_t rank, double *first, double *second);

/* The same in the split form: each part's columns of the solution by the rank it has among the basis's first ones. */
rango_status rg_split_reduce(const rg_site *site, const rg_basis *basis, const double *metric, rg_regression *r,
                             rg_factors *out);

/* A convolution's factors in one of its forms other than the pair, from the covariance [inputs][inputs] of its inputs
 * and a weight b [inputs][outputs], which becomes what the factors together are. */
rango_status rg_convolution_factors(const rg_site *site, const double *covariance, const double *metric, double *b,
                                    rg_factors *factors);
/* Fits every site in order on what the network so far makes of the calibration rows (Zhang et al. 2016, asymmetric).
 * bases [site][form]. */
rango_status rg_fit_all(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                        const rg_statistics *statistics, const rg_basis (*bases)[RG_FORM_COUNT],
                        const rg_candidate *choices, rg_factors *factors);

/* ---- rewriting ---- */
/* A float32 constant of the graph with a copy of these values. */
rango_status rg_graph_add_floats(rg_graph *graph, const char *name, const rg_shape *shape, const float *values,
                                 rg_value **out);
/* A grouped pair's kernels without the zeros: first [groups][rank][inputs of a group], second [outputs][rank]. */
rango_status rg_grouped_kernels(const rg_site *site, const rg_factors *factors, float **first, float **second);
/* Puts factors in place of a site's nodes in a copy of the canonical model (same node and value ids). */
rango_status rg_rewrite_site(rango_model *copy, const rg_site *site, const rg_factors *factors);
/* In such a copy: parts that are joined to be cut again go straight to who reads them; and a merged layer that stayed
 * dense becomes several again. */
void rg_connect_parts(rango_model *copy, const rg_site *site);
rango_status rg_unmerge(rango_model *copy, const rg_site *site);
/* A copy with every site rewritten (factors of form dense only correct their bias), dead constants removed. */
rango_status rg_rewrite_model(const rango_model *model, const rg_sites *sites, const rg_factors *factors,
                              rango_model **out);

/* ---- embedding tables: a statistics' input_mean holds how often each row is read, its rows are none ---- */
rango_status rg_embedding_begin(const rg_site *site, rg_moments *moments);
/* Indices in a tensor of them, whose type is checked. */
rango_status rg_embedding_indices(const rg_site *site, const rango_tensor *indices, int64_t *count);
rango_status rg_embedding_add(const rg_site *site, const rango_tensor *indices, rg_moments *moments);
/* Shares of all readings. */
void rg_embedding_finish(const rg_site *site, rg_statistics *statistics);
/* balance [inputs]: each time a row is read, up when that matters to the model's output, otherwise down. */
rango_status rg_embedding_add_gradient(const rg_site *site, const rango_tensor *indices, const rango_tensor *gradient,
                                       int64_t *balance);
/* Rows that mostly don't matter (padding behind a mask) count as never read. */
void rg_embedding_leave_out(const rg_site *site, const int64_t *balance, rg_statistics *statistics);
rango_status rg_basis_embedding(const rg_site *site, const rg_statistics *statistics, rg_basis *basis);
rango_status rg_embedding_fit(const rg_site *site, const rg_statistics *statistics, const rg_basis *basis, int64_t rank,
                              rg_factors *out);

/* ---- segments ---- */
/* Nodes [begin, end) of the main graph's order as a model, with sites among them rewritten where factors is given
 * (NULL: none). Its inputs and outputs are the values that cross the cuts: ids in `inputs` and `outputs`, in order. */
typedef struct rg_segment {
  rango_model *model;
  int *inputs, *outputs;
  size_t input_count, output_count;
} rg_segment;

rg_value *rg_find_value(const rg_graph *graph, int id); /* or NULL */
/* For a place p in the order: ids of tensors made before p and needed at p or later. */
rango_status rg_cut_values(const rango_model *model, int place, int **ids, size_t *count);
rango_status rg_segment_create(const rango_model *model, int begin, int end, const rg_sites *sites,
                               const rg_factors *factors, rg_segment *out);
/* Declares an input as what `tensor` is: type and rank. */
rango_status rg_segment_declare(rg_segment *segment, size_t input, const rango_tensor *tensor);
int rg_model_places(const rango_model *model); /* nodes of the main graph */
void rg_segment_free(rg_segment *segment);

/* The values that cross a cut, for every batch of the calibration data. */
typedef struct rg_frontier {
  int place;
  int *ids;
  size_t count;
  int64_t batches;
  rango_tensor **tensors; /* [batches][count] */
} rg_frontier;

/* At place 0: the data. */
rango_status rg_frontier_start(const rango_model *model, const rg_calibration *calibration, rg_frontier *out);
/* Moves to a later place by running the segment between. `factors` as in rg_segment_create. */
rango_status rg_frontier_advance(rg_frontier *frontier, const rango_model *model, int place, const rg_sites *sites,
                                 const rg_factors *factors, const rango_session_options *session);
rango_tensor *rg_frontier_value(const rg_frontier *frontier, int64_t batch, int id); /* or NULL */
void rg_frontier_free(rg_frontier *frontier);

/* ---- sensitivity ---- */
#define RG_SENSITIVITY_POINTS 4
/* How the model's first output answers to an error at a site: at squared relative layer errors error[i], ascending, the
 * squared relative error of the output is damage[i]. */
typedef struct rg_sensitivity {
  int count;
  double error[RG_SENSITIVITY_POINTS], damage[RG_SENSITIVITY_POINTS];
} rg_sensitivity;

double rg_sensitivity_damage(const rg_sensitivity *sensitivity, double error);
rango_status rg_sensitivity_measure(const rango_model *model, const rg_sites *sites, const rg_calibration *calibration,
                                    const rg_statistics *statistics, const rg_basis (*bases)[RG_FORM_COUNT],
                                    rg_sensitivity *out);

#endif
