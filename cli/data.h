/* Data as people have them: .npy, .npz, .csv, images and folders of images, read into a model's inputs and labels. */
#ifndef CLI_DATA_H
#define CLI_DATA_H

#include "args.h"
#include "rango_compress.h"

#define IMAGE_CHANNELS_MAX 3

/* What is done to every image. */
typedef struct image_recipe {
  int resize_width, resize_height; /* 0: as it is. Height 0: the shorter side becomes `resize_width` */
  int crop_width, crop_height;     /* 0: as it is */
  int mean_count, std_count;       /* 0: none given; 1: for all channels alike */
  float mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX];
  int layout; /* image_layout */
} image_recipe;

enum image_layout { LAYOUT_AUTO, LAYOUT_NCHW, LAYOUT_NHWC };

typedef struct data_options {
  const char *resize, *crop, *mean, *std, *label_column;
  image_recipe recipe; /* from the texts, by data_check */
} data_options;

/* The options that `run`, `eval`, `compress` and `inspect` have in common. */
#define DATA_OPTIONS(target)                                                                                           \
  {"resize", 0, OPTION_TEXT, &(target)->resize, "N|HxW", "images: the shorter side, or height and width", 0, 0},       \
      {"crop", 0, OPTION_TEXT, &(target)->crop, "N|HxW", "images: the centre, after --resize", 0, 0},                  \
      {"mean", 0, OPTION_TEXT, &(target)->mean, "A[,B,C]", "images: subtracted from the channels' 0 to 1", 0, 0},      \
      {"std", 0, OPTION_TEXT, &(target)->std, "A[,B,C]", "images: what is left is divided by it", 0, 0},               \
      {"layout", 0, OPTION_CHOICE, &(target)->recipe.layout, "auto|nchw|nhwc", "images: order of the axes [auto]",     \
       0,        0},                                                                                                   \
  {                                                                                                                    \
    "label-column", 0, OPTION_TEXT, &(target)->label_column, "NAME|N", ".csv: the column of labels (the first is 1)",  \
        0, 0                                                                                                           \
  }

/* Parses the texts of the options, and refuses those that none of the arguments in `lists` [count] can use. An exit
 * code; messages are printed. */
int data_check(const command *self, data_options *options, const text_list *const *lists, size_t count);
/* Whether one of the arguments is of a kind that can bring labels along. */
bool data_may_have_labels(const data_options *options, const text_list *arguments);

/* One array an input of the model. */
typedef struct data_arrays {
  size_t count;
  rango_tensor **items; /* [count] */
  void **mapped;        /* [count] memory of large arrays, in a temporary file without a name; NULL: the tensor's own */
  size_t *mapped_bytes; /* [count] */
  rango_tensor *labels; /* that came with them; NULL: none */
} data_arrays;

/* Reads "NAME=FILE" arguments (not .npz), one an input; `flag` ("--input") is for messages. An exit code. */
int data_arrays_load(const command *self, const char *flag, const data_options *options, const rango_model *model,
                     const text_list *arguments, data_arrays *out);
void data_arrays_free(data_arrays *arrays);

/* Rows of a model's inputs, from arguments of every kind. */
typedef struct data_rows {
  rango_dataset *set;
  data_arrays arrays; /* that `set` looks into; of .npy and .npz: none */
} data_rows;

int data_rows_load(const command *self, const char *flag, const data_options *options, const rango_model *model,
                   const text_list *arguments, data_rows *out);
void data_rows_free(data_rows *rows);
/* The labels of `file`, where it is given, otherwise those that came with `rows`, which give them up; NULL: none. An
 * exit code. */
int data_take_labels(const data_options *options, const char *file, data_rows *rows, rango_tensor **out);

/* ---- the kinds of files (data_images.c, data_csv.c, data_store.c) ---- */

/* An image, or a folder of them, for input `index`. With sub-folders these are the classes, and arrays->labels [rows]
 * (int64) is set. */
int data_load_images(const image_recipe *recipe, const rango_model *model, size_t index, const char *path,
                     data_arrays *arrays);
/* Rows of numbers for input `index`; the column of labels, where there is one, becomes arrays->labels [rows]: int64
 * when all are whole numbers and the model has more than one score, otherwise float64. */
int data_load_csv(const char *label_column, const rango_model *model, size_t index, const char *path,
                  data_arrays *arrays);
/* A new array for input `index`: in memory, or over 1 GiB in a temporary file ($TMPDIR, otherwise /tmp). */
int data_store(const char *path, rango_type type, int rank, const int64_t *dims, size_t index, data_arrays *arrays);

/* Files of a folder of images, in the order of classes and names. */
typedef struct image_files {
  char **paths;     /* [count] */
  int64_t *classes; /* [count] */
  size_t count;
  size_t class_count; /* 0: images lie in the folder itself */
} image_files;

int image_files_list(const char *path, image_files *out);
void image_files_free(image_files *files);
/* Whether the name ends as PNG and JPEG files do. */
bool is_image_name(const char *name);

typedef rango_status (*get_info)(const rango_model *model, size_t index, rango_value_info *out);
/* "NAME=FILE" where NAME is among the `count` values that `get` gives: its index and the file; otherwise false. */
bool split_argument(const rango_model *model, get_info get, size_t count, const char *argument, size_t *index,
                    const char **path);
/* Whether `text` ends with `end`, upper and lower case being the same. */
bool ends_with(const char *text, const char *end);

#endif
