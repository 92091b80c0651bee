/* Arrays named on the command line, "NAME=FILE" or "FILE", and runs over all of their rows. */
#ifndef CLI_ARRAYS_H
#define CLI_ARRAYS_H

#include "args.h"
#include "data.h"

/* What a run is fed with: either the arrays as they are, or rows of them, part by part. */
typedef struct feed {
  const char *file; /* the model's, for messages */
  const rango_model *model;
  size_t input_count, output_count;
  data_arrays arrays;  /* of an .npz: none */
  rango_dataset *data; /* NULL: one call with the arrays as they are */
  int64_t batch;       /* rows a call */
} feed;

/* Loads the inputs. `batch` rows are fed at a time (0: all at once, unless the model's batch is fixed). Returns an exit
 * code; messages are printed. */
int feed_load(const command *self, const char *file, const data_options *options, const rango_model *model,
              const text_list *arguments, int64_t batch, feed *out);
void feed_free(feed *f);

/* Runs the session over the feed: outputs[output_count] are the joined outputs, the caller's to free. `milliseconds` is
 * the time spent in calls, which there were `calls` of. */
int feed_run(const feed *f, rango_session *session, rango_tensor **outputs, double *milliseconds, int64_t *calls);
void tensors_free(rango_tensor **tensors, size_t count);

/* Which output "NAME=FILE" or "FILE" means, and the file. An exit code; messages are printed. */
int find_output(const command *self, const rango_model *model, const char *argument, size_t *index, const char **path);

double now_ms(void);

#endif
