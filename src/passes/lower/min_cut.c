#include "passes/lower/min_cut.h"

rango_status rg_cut_add_vertex(rg_cut *cut, int *out) {
  RG_TRY(RG_RESERVE(&cut->vertices, 1));
  *out = (int)cut->vertices.count;
  cut->vertices.items[cut->vertices.count++] = -1;
  return RANGO_OK;
}

static void link_edge(rg_cut *cut, int from, int to, int64_t capacity) {
  int index = (int)cut->edges.count++;
  cut->edges.items[index] = (rg_cut_edge){.to = to, .next = cut->vertices.items[from], .capacity = capacity};
  cut->vertices.items[from] = index;
}

rango_status rg_cut_add_edge(rg_cut *cut, int from, int to, int64_t cost) {
  RG_TRY(RG_RESERVE(&cut->edges, 2));
  link_edge(cut, from, to, cost);
  link_edge(cut, to, from, 0);
  return RANGO_OK;
}

/* Breadth first from the source along edges with room: by which edge each vertex was reached, -1 if it wasn't. */
static void search(const rg_cut *cut, int *reached_by, int *queue) {
  size_t head = 0, tail = 0;
  for (size_t i = 0; i < cut->vertices.count; i++) reached_by[i] = -1;
  queue[tail++] = 0;
  while (head < tail) {
    int vertex = queue[head++];
    for (int e = cut->vertices.items[vertex]; e >= 0; e = cut->edges.items[e].next) {
      int to = cut->edges.items[e].to;
      if (to == 0 || reached_by[to] >= 0 || cut->edges.items[e].capacity == 0) continue;
      reached_by[to] = e;
      queue[tail++] = to;
    }
  }
}

/* Sends as much as fits along the path found to the sink. */
static void augment(rg_cut *cut, const int *reached_by) {
  rg_cut_edge *edges = cut->edges.items;
  int64_t room = INT64_MAX;
  for (int vertex = 1; vertex != 0; vertex = edges[reached_by[vertex] ^ 1].to)
    if (edges[reached_by[vertex]].capacity < room) room = edges[reached_by[vertex]].capacity;
  for (int vertex = 1; vertex != 0; vertex = edges[reached_by[vertex] ^ 1].to) {
    edges[reached_by[vertex]].capacity -= room;
    edges[reached_by[vertex] ^ 1].capacity += room;
  }
}

rango_status rg_cut_solve(rg_cut *cut, bool *source_side) {
  size_t count = cut->vertices.count;
  int *reached_by; /* [vertices], then the queue [vertices] */
  RG_TRY(rg_calloc(count, 2 * sizeof *reached_by, RG_OUT(&reached_by)));
  for (;;) {
    search(cut, reached_by, reached_by + count);
    if (reached_by[1] < 0) break;
    augment(cut, reached_by);
  }
  for (size_t i = 0; i < count; i++) source_side[i] = i == 0 || reached_by[i] >= 0;
  rg_free(reached_by);
  return RANGO_OK;
}

void rg_cut_clear(rg_cut *cut) {
  rg_free(cut->vertices.items);
  rg_free(cut->edges.items);
  *cut = (rg_cut){0};
}
