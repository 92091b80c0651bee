/* A minimum cut: every vertex goes to the source's or the sink's side so that the edges between cost least. */
#ifndef RG_PASSES_LOWER_MIN_CUT_H
#define RG_PASSES_LOWER_MIN_CUT_H

#include "base/memory.h"

#define RG_CUT_INFINITE (INT64_MAX / 4)

typedef struct rg_cut_edge {
  int to, next; /* next: of the same vertex, -1 ends */
  int64_t capacity;
} rg_cut_edge;

/* Vertices 0 (source) and 1 (sink) are there from the start. Zeroed to begin with; cleared by rg_cut_clear. */
typedef struct rg_cut {
  struct {
    int *items; /* first edge of each vertex, -1 none */
    size_t count, capacity;
  } vertices;
  struct {
    rg_cut_edge *items; /* edge i ^ 1 is edge i's reverse */
    size_t count, capacity;
  } edges;
} rg_cut;

rango_status rg_cut_add_vertex(rg_cut *cut, int *out);
/* `cost` is paid when `from` ends on the source's side and `to` on the sink's. */
rango_status rg_cut_add_edge(rg_cut *cut, int from, int to, int64_t cost);
/* source_side[vertex]: whether it belongs to the source: the smallest such set. Edmonds and Karp, 1972. */
rango_status rg_cut_solve(rg_cut *cut, bool *source_side);
void rg_cut_clear(rg_cut *cut);

#endif
