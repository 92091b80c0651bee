/* Topological order (Kahn 1962), taking the earliest node that is ready: what was in order stays as it was. */
#include "graph/graph.h"

typedef struct edge {
  int to, next; /* next edge of the same producer, or -1 */
} edge;

typedef struct sorting {
  rg_graph *graph;
  rg_node **nodes; /* [count] in the old order; a node's mark is its index */
  int *waits;      /* [count] edges into it that are left */
  int *first_edge; /* [count] or -1 */
  int *heap;       /* ready nodes, the smallest index on top */
  int count, heap_count;
  struct {
    edge *items;
    size_t count, capacity;
  } edges;
} sorting;

static void heap_push(sorting *s, int index) {
  int i = s->heap_count++;
  for (; i > 0 && s->heap[(i - 1) / 2] > index; i = (i - 1) / 2) s->heap[i] = s->heap[(i - 1) / 2];
  s->heap[i] = index;
}

static int heap_pop(sorting *s) {
  int top = s->heap[0], moved = s->heap[--s->heap_count], i = 0;
  for (int child; (child = 2 * i + 1) < s->heap_count; i = child) {
    if (child + 1 < s->heap_count && s->heap[child + 1] < s->heap[child]) child++;
    if (s->heap[child] >= moved) break;
    s->heap[i] = s->heap[child];
  }
  s->heap[i] = moved;
  return top;
}

/* Node `index` waits for the producer of a value of this graph. */
static rango_status add_edge(sorting *s, const rg_value *value, int index) {
  if (!value || value->graph != s->graph || !value->producer) return RANGO_OK;
  RG_TRY(RG_RESERVE(&s->edges, 1));
  int from = value->producer->mark;
  s->edges.items[s->edges.count] = (edge){index, s->first_edge[from]};
  s->first_edge[from] = (int)s->edges.count++;
  s->waits[index]++;
  return RANGO_OK;
}

static rango_status add_edges(sorting *s, const rg_node *node, int index);

static rango_status add_graph_edges(sorting *s, const rg_graph *graph, int index) {
  for (const rg_node *node = graph->first; node; node = node->next) RG_TRY(add_edges(s, node, index));
  for (size_t i = 0; i < graph->outputs.count; i++) RG_TRY(add_edge(s, graph->outputs.items[i], index));
  return RANGO_OK;
}

/* What a node needs: its inputs, and what its subgraphs take from this graph. */
static rango_status add_edges(sorting *s, const rg_node *node, int index) {
  for (int i = 0; i < node->input_count; i++) RG_TRY(add_edge(s, node->inputs[i], index));
  for (const rg_attr *attr = node->attributes; attr; attr = attr->next) {
    if (attr->kind == RG_ATTR_GRAPH && attr->graph) RG_TRY(add_graph_edges(s, attr->graph, index));
    for (size_t i = 0; attr->kind == RG_ATTR_GRAPHS && i < attr->count; i++)
      RG_TRY(add_graph_edges(s, attr->graphs[i], index));
  }
  return RANGO_OK;
}

static rango_status prepare(sorting *s) {
  for (const rg_node *node = s->graph->first; node; node = node->next) s->count++;
  size_t count = (size_t)s->count;
  RG_TRY(rg_calloc(count, sizeof *s->nodes, RG_OUT(&s->nodes)));
  RG_TRY(rg_calloc(count, sizeof *s->waits, RG_OUT(&s->waits)));
  RG_TRY(rg_calloc(count, sizeof *s->first_edge, RG_OUT(&s->first_edge)));
  RG_TRY(rg_calloc(count, sizeof *s->heap, RG_OUT(&s->heap)));
  int index = 0;
  for (rg_node *node = s->graph->first; node; node = node->next, index++) {
    s->nodes[index] = node;
    node->mark = index;
    s->first_edge[index] = -1;
  }
  for (index = 0; index < s->count; index++) RG_TRY(add_edges(s, s->nodes[index], index));
  return RANGO_OK;
}

static rango_status order(sorting *s) {
  int done = 0;
  for (int i = 0; i < s->count; i++)
    if (!s->waits[i]) heap_push(s, i);
  for (; s->heap_count; done++) {
    int index = heap_pop(s);
    rg_node_move(s->nodes[index], NULL); /* all of them once: the old order is gone when the loop ends */
    s->waits[index] = -1;
    for (int e = s->first_edge[index]; e >= 0; e = s->edges.items[e].next)
      if (--s->waits[s->edges.items[e].to] == 0) heap_push(s, s->edges.items[e].to);
  }
  for (int i = 0; done < s->count && i < s->count; i++)
    RG_FAIL_IF(s->waits[i] > 0, RANGO_ERROR_FORMAT,
               "%s: the graph has a cycle that goes through this node, or leads to it", rg_node_text(s->nodes[i]));
  return RANGO_OK;
}

rango_status rg_graph_sort(rg_graph *graph) {
  sorting s = {.graph = graph};
  rango_status status = prepare(&s);
  if (status == RANGO_OK) status = order(&s);
  rg_free(s.nodes);
  rg_free(s.waits);
  rg_free(s.first_edge);
  rg_free(s.heap);
  rg_free(s.edges.items);
  return status;
}
