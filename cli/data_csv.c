/* .csv files as rows of a model's input, with a column of labels. */
#include "data_csv.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "output.h"
#include "progress.h"

typedef struct numbers {
  double *items;
  size_t count, capacity;
} numbers;

static void append(numbers *to, double value) {
  if (to->count == to->capacity) {
    size_t capacity = 2 * to->capacity + 1024;
    double *grown = must_alloc(capacity, sizeof *grown);
    if (to->count) memcpy(grown, to->items, to->count * sizeof *grown);
    free(to->items);
    to->items = grown;
    to->capacity = capacity;
  }
  to->items[to->count++] = value;
}

/* ---- the types that a column of numbers can become ---- */

typedef struct number_range {
  rango_type type;
  double least, most;
  bool whole;
} number_range;

static const number_range ranges[] = {
    {RANGO_FLOAT32, -FLT_MAX, FLT_MAX, false},
    {RANGO_FLOAT64, -DBL_MAX, DBL_MAX, false},
    {RANGO_INT64, -9007199254740992.0, 9007199254740992.0, true}, /* 2^53: what a double holds exactly */
    {RANGO_INT32, INT32_MIN, INT32_MAX, true},
    {RANGO_INT8, INT8_MIN, INT8_MAX, true},
    {RANGO_UINT8, 0, UINT8_MAX, true},
    {RANGO_BOOL, 0, 1, true},
};

static const number_range *find_range(rango_type type) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (ranges[i].type == type) return &ranges[i];
  return NULL;
}

static void store(void *data, rango_type type, const double *values, size_t count) {
  for (size_t i = 0; i < count; i++) switch (type) {
    case RANGO_FLOAT32:
      ((float *)data)[i] = (float)values[i];
      break;
    case RANGO_FLOAT64:
      ((double *)data)[i] = values[i];
      break;
    case RANGO_INT64:
      ((int64_t *)data)[i] = (int64_t)values[i];
      break;
    case RANGO_INT32:
      ((int32_t *)data)[i] = (int32_t)values[i];
      break;
    case RANGO_INT8:
      ((int8_t *)data)[i] = (int8_t)values[i];
      break;
    default:
      ((uint8_t *)data)[i] = (uint8_t)values[i];
    }
}

/* ---- the first line ---- */

typedef struct csv_table {
  csv_reader csv;
  int columns;               /* of every line */
  int label;                 /* the column of labels, from 1; 0: none */
  const number_range *range; /* that values must keep */
  int64_t rows;
  numbers values, labels;
} csv_table;

/* Columns are named in the first line when none of its fields is a number, or one is the name of the labels' column.
 * Finds the number of columns and that of the labels, and leaves the reader behind the names. */
static int read_header(const char *path, const char *label_column, csv_table *t) {
  bool more, number = false, text = false;
  double value;
  int code = csv_open(path, &t->csv);
  if (code != EXIT_DONE) return code;
  do {
    code = csv_next(&t->csv, &more);
    if (code != EXIT_DONE) return code;
    if (!more) return report_failure_of("%s: no rows in it", path);
    if (csv_number(&t->csv, &value)) {
      number = true;
      continue;
    }
    text = text || t->csv.length;
    if (label_column && t->label == 0 && strcmp(t->csv.text, label_column) == 0) t->label = t->csv.column;
  } while (!t->csv.last);
  t->columns = t->csv.column;
  if (t->label || (text && !number)) return EXIT_DONE;
  csv_close(&t->csv);
  return csv_open(path, &t->csv);
}

/* A column that is asked for by its number. A name that isn't there leaves the file without labels: calibration data
 * need none. */
static int find_label_column(const char *path, const char *label_column, csv_table *t) {
  char *end;
  if (!label_column || t->label) return EXIT_DONE;
  long column = strtol(label_column, &end, 10);
  if (end == label_column || *end) return EXIT_DONE;
  if (column < 1 || column > t->columns)
    return report_failure_of("%s: --label-column %ld: it has %d columns", path, column, t->columns);
  t->label = (int)column;
  return EXIT_DONE;
}

/* ---- rows ---- */

static int take_field(csv_table *t) {
  const csv_reader *csv = &t->csv;
  double value;
  bool label = csv->column == t->label;
  if (csv->column > t->columns) return csv_failure(csv, "the line has more than %d fields", t->columns);
  if (csv->length == 0) return csv_failure(csv, "the value is missing");
  if (!csv_number(csv, &value)) return csv_failure(csv, "'%.40s' is not a number", csv->text);
  if (!label && (value < t->range->least || value > t->range->most || (t->range->whole && value != floor(value))))
    return csv_failure(csv, "the input takes %s: %.40s is none", rango_type_name(t->range->type), csv->text);
  append(label ? &t->labels : &t->values, value);
  if (csv->last && csv->column < t->columns)
    return csv_failure(csv, "the line ends after %d of %d fields", csv->column, t->columns);
  return EXIT_DONE;
}

static int read_rows(csv_table *t) {
  bool more = true;
  double all = (double)file_bytes(t->csv.path);
  for (int code; more;) {
    code = csv_next(&t->csv, &more);
    if (code == EXIT_DONE && more) code = take_field(t);
    if (code != EXIT_DONE) return code;
    if (t->csv.last && t->csv.line % 1024 == 0 &&
        !progress_show(NULL, (double)ftell(t->csv.file) / all, "reading numbers"))
      return report_failure_of("interrupted");
  }
  progress_clear();
  t->rows = (int64_t)t->values.count / (t->label ? t->columns - 1 : t->columns);
  return EXIT_DONE;
}

/* ---- arrays ---- */

/* The input's shape with the rows in front: columns fill the other axes, one of which may be open. */
static int find_shape(const char *path, const rango_value_info *in, const csv_table *t, const char *label_column,
                      int64_t dims[RANGO_MAX_RANK]) {
  int64_t columns = t->label ? t->columns - 1 : t->columns, known = 1;
  int open = 0;
  if (in->rank < 1) return report_failure_of("%s: input '%s' has no rows", path, in->name);
  dims[0] = t->rows;
  for (int i = 1; i < in->rank; i++) {
    dims[i] = in->dims[i];
    if (dims[i] < 0)
      open++;
    else if (dims[i] == 0 || known > INT32_MAX / dims[i])
      return report_failure_of("%s: input '%s' takes no table", path, in->name);
    else
      known *= dims[i];
  }
  if (open > 1 || columns % known || (open == 0 && columns != known))
    return report_failure_of("%s: %lld columns%s: input '%s' wants %s%lld numbers a row", path, (long long)columns,
                             t->label       ? " beside the labels"
                             : label_column ? " and no labels"
                                            : "",
                             in->name, open ? "a multiple of " : "", (long long)known);
  for (int i = 1; i < in->rank; i++)
    if (dims[i] < 0) dims[i] = columns / known;
  return EXIT_DONE;
}

/* Whether labels can be classes: a model of one score has none. */
static bool has_classes(const rango_model *model) {
  rango_value_info out;
  int64_t scores = 1;
  if (rango_model_output(model, 0, &out) != RANGO_OK) return true;
  for (int i = 1; i < out.rank; i++) scores *= out.dims[i] < 0 ? 2 : out.dims[i];
  return scores != 1;
}

static int set_labels(const rango_model *model, const csv_table *t, data_arrays *arrays) {
  bool classes = has_classes(model);
  for (size_t i = 0; i < t->labels.count && classes; i++) classes = t->labels.items[i] == floor(t->labels.items[i]);
  rango_type type = classes ? RANGO_INT64 : RANGO_FLOAT64;
  if (t->label == 0 || arrays->labels) return EXIT_DONE;
  if (rango_tensor_create(type, 1, &t->rows, &arrays->labels) != RANGO_OK) return report_failure();
  store(rango_tensor_data_mut(arrays->labels), type, t->labels.items, t->labels.count);
  return EXIT_DONE;
}

static int read_table(const char *label_column, const rango_model *model, size_t index, const char *path, csv_table *t,
                      data_arrays *arrays) {
  rango_value_info in;
  int64_t dims[RANGO_MAX_RANK];
  if (rango_model_input(model, index, &in) != RANGO_OK) return report_failure();
  t->range = find_range(in.type);
  if (!t->range)
    return report_failure_of("%s: input '%s' is %s, which .csv files are not read for", path, in.name,
                             rango_type_name(in.type));
  int code = read_header(path, label_column, t);
  if (code == EXIT_DONE) code = find_label_column(path, label_column, t);
  if (code == EXIT_DONE && t->label && t->columns == 1) code = report_failure_of("%s: no column but the labels", path);
  if (code == EXIT_DONE) code = read_rows(t);
  if (code == EXIT_DONE && t->rows == 0) code = report_failure_of("%s: no rows in it", path);
  if (code == EXIT_DONE) code = find_shape(path, &in, t, label_column, dims);
  if (code == EXIT_DONE) code = data_store(path, in.type, in.rank, dims, index, arrays);
  if (code != EXIT_DONE) return code;
  store(rango_tensor_data_mut(arrays->items[index]), in.type, t->values.items, t->values.count);
  return set_labels(model, t, arrays);
}

int data_load_csv(const char *label_column, const rango_model *model, size_t index, const char *path,
                  data_arrays *arrays) {
  csv_table t = {0};
  int code = read_table(label_column, model, index, path, &t, arrays);
  csv_close(&t.csv);
  free(t.values.items);
  free(t.labels.items);
  return code;
}
