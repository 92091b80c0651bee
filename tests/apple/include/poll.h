#ifndef RG_APPLE_POLL_H
#define RG_APPLE_POLL_H

#define POLLIN 0x0001

typedef unsigned int nfds_t;
struct pollfd {
  int fd;
  short events, revents;
};

int poll(struct pollfd *files, nfds_t count, int milliseconds);

#endif
