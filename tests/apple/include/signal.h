#ifndef RG_APPLE_SIGNAL_H
#define RG_APPLE_SIGNAL_H

#include <sys/types.h>

#define SIGINT       2
#define SIGKILL      9
#define SIGPIPE      13
#define SIGTERM      15
#define SA_RESETHAND 4
#define SIG_DFL      ((void (*)(int))0)
#define SIG_IGN      ((void (*)(int))1)

typedef int sig_atomic_t;
typedef uint32_t sigset_t;
struct sigaction {
  void (*sa_handler)(int signal);
  sigset_t sa_mask;
  int sa_flags;
};

void (*signal(int signal, void (*handler)(int)))(int);
int sigaction(int signal, const struct sigaction *wanted, struct sigaction *old);
int sigemptyset(sigset_t *set);
int kill(pid_t process, int signal);
int raise(int signal);

#endif
