/* macOS has no counter, but a program of the system, for root, that prints mean powers: a header with the sample's
 * length, then a line a part ("CPU Power: 823 mW"; on Intel "... package power (CPUs+GT+SA): 2.48W"). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/energy.h"

#define TEXT_BYTES 65536
#define WAIT_MS    5000 /* for the next sample: far more than a step */
#define HEADER     "*** Sampled system activity"

extern char **environ;

/* ---- the text ---- */

/* Milliseconds that the sample's header says, or 0. */
static double elapsed_ms(const char *header, const char *end) {
  const char *at = strstr(header, "elapsed)");
  if (!at || at >= end) return 0;
  while (at > header && *at != '(') at--;
  return strtod(at + 1, NULL);
}

/* Watts of the line that begins with `name`; 0 where the sample has none. */
static double watts(const char *sample, const char *end, const char *name) {
  const char *at = strstr(sample, name);
  if (!at || at >= end) return 0;
  at = strchr(at, ':');
  if (!at || at >= end) return 0;
  char *unit;
  const double value = strtod(at + 1, &unit);
  while (*unit == ' ') unit++;
  return *unit == 'm' ? 1e-3 * value : value;
}

double rg_powermetrics_joules(const char *text, bool gpu, const char **rest, int *samples) {
  double joules = 0;
  const char *sample = strstr(text, HEADER);
  *samples = 0;
  while (sample) {
    const char *next = strstr(sample + strlen(HEADER), HEADER);
    if (!next) break; /* lines may be missing */
    double power = watts(sample, next, gpu ? "\nGPU Power:" : "\nCPU Power:");
    if (!gpu && power == 0) power = watts(sample, next, "package power (CPUs+GT+SA):");
    joules += 1e-3 * elapsed_ms(sample, next) * power;
    ++*samples;
    sample = next;
  }
  *rest = sample ? sample : text;
  return joules;
}

/* ---- the program ---- */

typedef struct powermetrics {
  rango_meter base;
  bool gpu;
  pid_t process;
  int output;
  double joules;
  size_t used;
  char text[TEXT_BYTES]; /* what has been printed and not been counted */
} powermetrics;

/* Takes what is there, or waits for it. False at the output's end, or when nothing comes. */
static bool take_output(powermetrics *self, int wait_ms) {
  struct pollfd ready = {.fd = self->output, .events = POLLIN};
  if (poll(&ready, 1, wait_ms) <= 0) return false;
  if (self->used >= TEXT_BYTES - 1) self->used = 0; /* no sample is as long */
  const ssize_t bytes = read(self->output, self->text + self->used, TEXT_BYTES - 1 - self->used);
  if (bytes <= 0) return false;
  self->used += (size_t)bytes;
  self->text[self->used] = '\0';
  return true;
}

static int count_samples(powermetrics *self) {
  const char *rest;
  int samples;
  self->joules += rg_powermetrics_joules(self->text, self->gpu, &rest, &samples);
  self->used -= (size_t)(rest - self->text);
  memmove(self->text, rest, self->used + 1);
  return samples;
}

/* A sample is known whole when the next begins: what is read is a step or two old, at both ends of what is measured. */
static rango_status read_powermetrics(rango_meter *meter, double *joules) {
  powermetrics *self = (powermetrics *)meter;
  while (take_output(self, 0)) count_samples(self);
  int samples = 0;
  while (samples == 0) {
    RG_FAIL_IF(!take_output(self, WAIT_MS), RANGO_ERROR_UNSUPPORTED, "powermetrics prints no samples: run as root");
    samples = count_samples(self);
  }
  *joules = self->joules;
  return RANGO_OK;
}

static void free_powermetrics(rango_meter *meter) {
  powermetrics *self = (powermetrics *)meter;
  if (self->process > 0) {
    kill(self->process, SIGTERM);
    waitpid(self->process, NULL, 0);
  }
  if (self->output >= 0) close(self->output);
  rg_free(self);
}

static rango_status start_program(powermetrics *self, const char *program) {
  char step[16];
  int ends[2];
  snprintf(step, sizeof step, "%d", RG_POWERMETRICS_STEP);
  char *arguments[] = {(char *)program, (char *)"--samplers", (char *)"cpu_power,gpu_power", (char *)"-i", step, NULL};
  /* Not every system's posix_spawn tells what went wrong in the child. */
  RG_FAIL_IF(access(program, X_OK) != 0, RANGO_ERROR_UNSUPPORTED, "%s can't be run: %s", program, strerror(errno));
  RG_FAIL_IF(pipe(ends) != 0, RANGO_ERROR_UNSUPPORTED, "powermetrics: no pipe: %s", strerror(errno));
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  self->output = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawn(&self->process, program, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) self->process = 0;
  RG_FAIL_IF(error != 0, RANGO_ERROR_UNSUPPORTED, "%s can't be run: %s", program, strerror(error));
  return RANGO_OK;
}

rango_status rg_meter_powermetrics(const char *program, bool gpu, rango_meter **out) {
  powermetrics *self;
  *out = NULL;
  RG_TRY(rg_calloc(1, sizeof *self, RG_OUT(&self)));
  self->base = (rango_meter){read_powermetrics, free_powermetrics};
  self->gpu = gpu;
  self->output = -1;
  rango_status status = start_program(self, program);
  double joules; /* the first samples: what follows is counted */
  if (status == RANGO_OK) status = read_powermetrics(&self->base, &joules);
  self->joules = 0;
  if (status == RANGO_OK)
    *out = &self->base;
  else
    free_powermetrics(&self->base);
  return status;
}
