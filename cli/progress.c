#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BAR 24

static volatile sig_atomic_t interrupted;
static bool hidden, shown;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

void progress_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool progress_interrupted(void) { return interrupted; }
void progress_hide(void) { hidden = true; }

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Redrawn at most ten times a second. */
bool progress_show(void *user, double fraction, const char *stage) {
  static double last;
  (void)user;
  double now = seconds();
  if (hidden || !isatty(STDERR_FILENO) || (shown && now - last < 0.1)) return !interrupted;
  last = now;
  shown = true;
  fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
  char bar[BAR + 1];
  int filled = (int)(fraction * BAR + 0.5);
  for (int i = 0; i < BAR; i++) bar[i] = i < filled ? '#' : '.';
  bar[BAR] = 0;
  fprintf(stderr, "\r\033[K[%s] %3.0f %%  %.40s", bar, 100 * fraction, stage ? stage : "");
  fflush(stderr);
  return !interrupted;
}

void progress_clear(void) {
  if (!shown) return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  shown = false;
}
