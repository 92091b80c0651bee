/* What the files of `rango bench` share. A row's process (bench_row.c) is started with bench_row_start and takes turns
 * at the parent's command, over two pipes, a line at a time:
 *
 *     child:  ready MILLISECONDS THREADS ISA     loaded, and run: how long that took, once
 *     parent: go      child: MILLISECONDS of one call, the mean of the turn's calls
 *     parent: long    child: CALLS in a second or more, for a meter of energy
 *     parent: end     child: BYTES the process has grown by; it ends
 *     child, instead of any answer: error MESSAGE */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "rango.h"

#define BENCH_ROWS 6

typedef struct bench_row {
  const char *name;
  const char *missing; /* why it can't be measured, or NULL */
  bool hidden;         /* not asked for */
  const char *model;
  bool compressed;
  rango_device device;
  int gpu;
  pid_t process;
  bool ended; /* of itself */
  FILE *to, *from;
  int threads;
  char isa[32];
  double *times; /* [rounds] */
  int rounds;
  double spent; /* milliseconds in turns */
  double start; /* milliseconds to load the model and run it once */
  double median, fastest;
  int64_t params, macs, bytes, memory;
  double metric;            /* NaN: none */
  double energy;            /* millijoules of a call; NaN: not known */
  char energy_missing[512]; /* why it isn't known, or "" */
} bench_row;

/* All print what is wrong and return an exit code. */
int bench_row_start(bench_row *row, const char *inputs, size_t input_count, int threads, const char *isa);
int bench_row_turn(bench_row *row);
int bench_row_energy(bench_row *row); /* without a meter that is no failure */
int bench_row_end(bench_row *row);
void bench_row_stop(bench_row *row); /* whatever its state */

/* Writes the batch that every row runs to `folder`/input_I.npy: rows of the arrays, or random numbers when there are
 * none. *batch 0: the model's fixed batch or 1; it is set to what was taken. */
int bench_make_inputs(const char *file, const rango_model *model, const char *const *arguments, size_t count,
                      const char *folder, int64_t *batch);

#endif
