#ifndef RG_APPLE_DISPATCH_DISPATCH_H
#define RG_APPLE_DISPATCH_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

typedef struct dispatch_queue_s *dispatch_queue_t;
#define QOS_CLASS_USER_INITIATED 0x19

dispatch_queue_t dispatch_get_global_queue(intptr_t identifier, uintptr_t flags);
void dispatch_apply_f(size_t iterations, dispatch_queue_t queue, void *context, void (*work)(void *context, size_t i));

#endif
