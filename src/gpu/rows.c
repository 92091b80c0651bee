#include "gpu/rows.h"

#define THREADS 256
#define ENOUGH  131072 /* threads that keep a large device busy */

rg_gpu_rows rg_gpu_rows_make(int64_t rows, int64_t axis, bool along) {
  int64_t lanes = 1, width = 1;
  if (along) {
    while (lanes < THREADS && lanes * 2 <= axis) lanes *= 2;
    /* Up to four elements a thread, where there are rows enough. */
    while (lanes > 32 && lanes * 2 >= axis && rows * lanes > ENOUGH) lanes /= 2;
    width = THREADS / lanes;
  } else {
    while (width < 32 && width < rows) width *= 2;
    while (width < THREADS && rows * (THREADS / width) > ENOUGH) width *= 2;
    lanes = THREADS / width;
  }
  return (rg_gpu_rows){(uint32_t)rows, (uint32_t)axis, (uint32_t)lanes, (uint32_t)width, along};
}

bool rg_gpu_rows_groups(const rg_gpu_prepare *prepare, rg_gpu_task *task, const rg_gpu_rows *rows) {
  return rg_gpu_groups(prepare, task, rows->rows, rows->width);
}

void rg_gpu_around(const rg_fact *fact, int axis, int64_t *outer, int64_t *inner) {
  *outer = *inner = 1;
  for (int i = 0; i < axis; i++) *outer *= fact->dims[i];
  for (int i = axis + 1; i < fact->rank; i++) *inner *= fact->dims[i];
}
