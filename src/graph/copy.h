/* Copying nodes with all that hangs on them: for copies of whole models, and for putting a function's body in the place
 * of its call. */
#ifndef RG_GRAPH_COPY_H
#define RG_GRAPH_COPY_H

#include "graph/graph.h"

typedef struct rg_copier {
  rango_model *from, *to; /* may be the same */
  rg_value **map;         /* [map_count] value id → its copy; NULL: not copied. The caller's */
  int map_count;          /* from->value_count before copying began */
  const rg_graph *body;   /* of what is copied: its values that are not in the map (inputs not given) become absent */
  bool keep_ids;          /* `to` is an empty copy of `from`: ids and names stay as they are */
  const rg_node *call;    /* attributes that refer to a function's take its value; NULL: they are copied as they are */
  const rg_function *function;
} rg_copier;

/* A copy of `from` in `graph`, before `before`. Inputs that are not in the map stay what they are (values of outer
 * graphs); outputs that are not get new values. Subgraphs are copied too. */
rango_status rg_copy_node(rg_copier *copier, const rg_node *from, rg_graph *graph, rg_node *before, rg_node **out);
/* A copy of a value in `graph`, put into the map. */
rango_status rg_copy_value(rg_copier *copier, const rg_value *from, rg_graph *graph, rg_value **out);

#endif
