/* Times of nodes, summed over runs. */
#include <time.h>

#include "engine/session.h"

struct rg_profile {
  rg_arena *arena;              /* all of it */
  rango_profile_entry *entries; /* [node_count]: by node id */
  const int *order;             /* [ordered]: node ids in order of execution */
  int ordered;
  rango_profile_entry *list; /* [ordered]: those with calls */
};

double rg_profile_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

typedef struct order_builder {
  rg_profile *profile;
  int *order;
} order_builder;

const char *rg_profile_name(const rg_node *node) {
  if (node->name[0]) return node->name;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->name;
  return "";
}

/* Graphs are visited outer first; a body's nodes come after those of the graph that runs it. */
static rango_status add_graph(rg_graph *graph, void *argument) {
  order_builder *build = argument;
  for (const rg_node *node = graph->first; node; node = node->next) {
    build->profile->entries[node->id] = (rango_profile_entry){.name = rg_profile_name(node), .op = node->op};
    build->order[build->profile->ordered++] = node->id;
  }
  return RANGO_OK;
}

rango_status rg_profile_create(const rango_model *program, rg_profile **out) {
  rg_arena *arena;
  rg_profile *profile;
  size_t nodes = (size_t)program->node_count + 1;
  RG_TRY(rg_arena_create(&arena));
  order_builder build = {0};
  rango_status status;
  RG_TRY_DONE(rg_arena_calloc(arena, 1, sizeof *profile, RG_OUT(&profile)));
  profile->arena = arena;
  RG_TRY_DONE(rg_arena_calloc(arena, nodes, sizeof *profile->entries, RG_OUT(&profile->entries)));
  RG_TRY_DONE(rg_arena_calloc(arena, nodes, sizeof *profile->list, RG_OUT(&profile->list)));
  RG_TRY_DONE(rg_arena_calloc(arena, nodes, sizeof *build.order, RG_OUT(&build.order)));
  build.profile = profile;
  profile->order = build.order;
  RG_TRY_DONE(rg_model_visit_graphs((rango_model *)program, false, add_graph, &build));
  *out = profile;
  return RANGO_OK;
done:
  rg_arena_free(arena);
  return status;
}

void rg_profile_free(rg_profile *profile) {
  if (profile) rg_arena_free(profile->arena);
}

void rg_profile_add(rg_profile *profile, const rg_node *node, double milliseconds, int64_t macs, const char *where) {
  rango_profile_entry *entry = &profile->entries[node->id];
  entry->milliseconds += milliseconds;
  entry->calls++;
  entry->macs = macs;
  entry->where = where;
}

size_t rango_session_profile(const rango_session *session, const rango_profile_entry **out) {
  if (!session || !out) return 0;
  rg_profile *profile = session->profile;
  *out = NULL;
  if (!profile) return 0;
  size_t count = 0;
  for (int i = 0; i < profile->ordered; i++)
    if (profile->entries[profile->order[i]].calls > 0) profile->list[count++] = profile->entries[profile->order[i]];
  *out = profile->list;
  return count;
}
