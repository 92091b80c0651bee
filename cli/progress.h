/* Long work: a bar on a terminal, and Ctrl-C. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

/* From now on the first Ctrl-C (or SIGTERM) asks the work to stop; a second one ends the process. */
void progress_catch_signals(void);
bool progress_interrupted(void);
/* Shows no bar from now on; without a terminal on stderr there is none anyway. */
void progress_hide(void);

/* A rango_progress_function. */
bool progress_show(void *user, double fraction, const char *stage);
/* Removes the bar, before anything else is printed. */
void progress_clear(void);

#endif
