/* Statistics in files: finished, for any number of compressions, or a collection on its way, which goes on from there.
 */
#ifndef RG_COMPRESS_STATS_FILE_H
#define RG_COMPRESS_STATS_FILE_H

#include "compress/compress.h"

/* What statistics were made of and how: they are those of nothing else. */
typedef struct rg_stats_key {
  uint64_t model, data; /* fingerprints */
  int64_t rows, seed, batch, sampled;
} rg_stats_key;

rg_stats_key rg_stats_key_of(const rango_model *model, const rg_calibration *calibration);

/* Which outputs a metric is for: numbers, or scores of classes (rg_calibration.class_scores). */
enum { RG_METRIC_VALUES, RG_METRIC_CLASSES, RG_METRICS };

/* What is collected, finished or on its way: sites before `begin` have their statistics, those before `end` their
 * moments up to `batch`; behind the last site come the metrics, `metrics` of them done. */
typedef struct rg_collection {
  rg_sites *sites;
  rg_statistics *statistics;     /* [sites->count], without their metrics */
  rg_moments *moments;           /* [sites->count] */
  double **metric[RG_METRICS];   /* [sites->count]: as rg_statistics.metric; NULL: no adjoint */
  double **readings[RG_METRICS]; /* [sites->count]: of embedding tables, input_mean as it goes with the metric */
  int64_t begin, end, batch, metrics;
} rg_collection;

rango_status rg_collection_create(rg_sites *sites, rg_statistics *statistics, rg_collection *out);
void rg_collection_free(rg_collection *collection); /* without the statistics */
bool rg_collection_is_finished(const rg_collection *collection);

rango_status rg_stats_save(const char *path, const rg_stats_key *key, rg_collection *collection);
/* Fills statistics [sites->count] with that metric (RG_METRICS: none), and what collecting finds out about the sites.
 * Statistics of another model, of other data or made in another way are RANGO_ERROR_ARGUMENT. */
rango_status rg_stats_load(const char *path, const rg_stats_key *key, rg_sites *sites, int metric,
                           rg_statistics *statistics);

/* Where a collection is kept while it runs. */
typedef struct rg_checkpoint {
  const char *path;
  rg_stats_key key;
  double interval; /* seconds between two writings, at least; never more than a twentieth of the time is spent so */
  double written, spent; /* when it was last written, and how long that took */
} rg_checkpoint;

/* Continues what the file holds, if it is of this key; with another one, or without a file, from the beginning. */
rango_status rg_checkpoint_resume(rg_checkpoint *checkpoint, rg_collection *collection);
/* Writes the file when it is time, or at once. */
rango_status rg_checkpoint_save(rg_checkpoint *checkpoint, rg_collection *collection, bool at_once);

#endif
