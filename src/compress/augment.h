/* Views of calibration images, so that a few hundred of them can train for long. */
#ifndef RG_COMPRESS_AUGMENT_H
#define RG_COMPRESS_AUGMENT_H

#include "base/random.h"
#include "compress/dataset.h"

/* How images are changed. Labels aren't needed: whatever comes of it, the original network says what to answer. */
typedef struct rg_augmentation {
  int input; /* the one that holds images, [outer][height][width][inner] elements each; -1: nothing is changed */
  int64_t outer, height, width, inner;
  int64_t move; /* pixels, at most, up or down and left or right; what comes in is reflected; 0: not at all */
  bool mirror;  /* half of the images, left to right */
  bool paste;   /* a piece of another image of the batch into half of them (CutMix; Yun et al. 2019) */
} rg_augmentation;

/* Looks for an input of images and for what `model`, on some of the rows, mostly answers alike: three quarters of its
 * first output's variance stay (digits aren't mirrored then). */
rango_status rg_augmentation_choose(const rango_model *model, const rango_dataset *data,
                                    const rango_session_options *session, uint64_t seed, rg_augmentation *out);
/* Changes a batch's `images` in place. */
rango_status rg_augmentation_apply(const rg_augmentation *how, rg_random *random, rango_tensor *images);

#endif
