/* Lists in the model's arena: graphs and values go with it as a whole, so nothing has to free them one by one. */
#ifndef RG_GRAPH_LISTS_H
#define RG_GRAPH_LISTS_H

#include "graph/graph.h"

/* Room for `needed` items; what an outgrown list leaves behind stays in the arena (less than the list itself). */
rango_status rg_arena_list_reserve(rg_arena *arena, void **items, size_t *capacity, size_t count, size_t needed,
                                   size_t item_bytes);
#define RG_ARENA_RESERVE(arena, list, extra)                                                                           \
  rg_arena_list_reserve((arena), (void **)&(list)->items, &(list)->capacity, (list)->count, (list)->count + (extra),   \
                        sizeof *(list)->items)

rango_status rg_value_add_use(rg_value *value, rg_node *node, int index);

#endif
