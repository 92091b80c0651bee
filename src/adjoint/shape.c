/* Adjoints of operators that move elements. */
#include <string.h>

#include "adjoint/backward.h"

/* Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the input's shape. */
static void reshape(rg_backward *b, rg_value *g) {
  rg_back_give(b, 0, rg_back_reshape_like(b, g, rg_back_input(b, 0)));
}

static void transpose(rg_backward *b, rg_value *g) {
  int rank = rg_back_rank(b, 0);
  int64_t inverse[RANGO_MAX_RANK];
  size_t count;
  const int64_t *perm = rg_node_ints(b->node, "perm", &count);
  for (int i = 0; i < rank; i++) inverse[perm ? perm[i] : rank - 1 - i] = i;
  rg_back_give(b, 0, rg_back_transpose(b, g, inverse, rank));
}

static void expand(rg_backward *b, rg_value *g) { rg_back_give_broadcast(b, 0, g); }

/* ---- Tile: the sum of the copies ---- */

static bool supports_tile(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  int64_t repeats[RANGO_MAX_RANK];
  int count, open = 0;
  for (int i = 0; i < x->rank; i++) open += !rg_size_is_known(x->dims[i]);
  return node->version >= 6 && open <= 1 && 2 * x->rank <= RANGO_MAX_RANK &&
         rg_known_ints(facts, node->inputs[1], repeats, &count) && count == x->rank;
}

static void tile(rg_backward *b, rg_value *g) {
  const rg_fact *x = rg_back_fact(b, rg_back_input(b, 0));
  int64_t repeats[RANGO_MAX_RANK], dims[RANGO_MAX_RANK], axes[RANGO_MAX_RANK];
  int count, rank = 0;
  (void)rg_known_ints(b->facts, rg_back_input(b, 1), repeats, &count);
  for (int i = 0; i < count; i++) {
    axes[i] = rank;
    dims[rank++] = repeats[i];
    dims[rank++] = rg_size_is_known(x->dims[i]) ? x->dims[i] : -1;
  }
  rg_back_give(b, 0, rg_back_reduce(b, "ReduceSum", rg_back_reshape(b, g, dims, rank), axes, count, false));
}

/* ---- DepthToSpace, SpaceToDepth ---- */

/* The blocks of g [N, C, H block, W block] back into channels: before C, or behind it. */
static void depth_to_space(rg_backward *b, rg_value *g) {
  static const int64_t before[] = {0, 3, 5, 1, 2, 4}, behind[] = {0, 1, 3, 5, 2, 4};
  const int64_t block = rg_node_int(b->node, "blocksize", 1);
  const int64_t *dims = rg_back_fact(b, rg_back_input(b, 0))->dims;
  const int64_t apart[] = {-1, dims[1] / (block * block), dims[2], block, dims[3], block};
  bool columns_first = strcmp(rg_node_string(b->node, "mode", "DCR"), "CRD") == 0;
  g = rg_back_transpose(b, rg_back_reshape(b, g, apart, 6), columns_first ? behind : before, 6);
  rg_back_give(b, 0, rg_back_reshape_like(b, g, rg_back_input(b, 0)));
}

static bool supports_depth_to_space(const rg_node *node, const rg_facts *facts, const bool *needed) {
  const rg_fact *x = &facts->items[node->inputs[0]->id];
  return rg_size_is_known(x->dims[1]) && rg_size_is_known(x->dims[2]) && rg_size_is_known(x->dims[3]);
}

static void space_to_depth(rg_backward *b, rg_value *g) {
  rg_value *out = rg_back_op(b, "DepthToSpace", 1, g);
  rg_back_set_int(b, out, "blocksize", rg_node_int(b->node, "blocksize", 1));
  rg_back_give(b, 0, out);
}

/* The same triangle. */
static void triangle(rg_backward *b, rg_value *g) {
  rg_value *out = rg_back_op(b, "Trilu", 2, g, rg_back_input(b, 1));
  rg_back_set_int(b, out, "upper", rg_node_int(b->node, "upper", 1));
  rg_back_give(b, 0, out);
}

/* The same steps turned around again. */
static void reverse_sequence(rg_backward *b, rg_value *g) {
  rg_value *out = rg_back_op(b, "ReverseSequence", 2, g, rg_back_input(b, 1));
  rg_back_set_int(b, out, "batch_axis", rg_node_int(b->node, "batch_axis", 1));
  rg_back_set_int(b, out, "time_axis", rg_node_int(b->node, "time_axis", 0));
  rg_back_give(b, 0, out);
}

/* Running sums from the other end. */
static void running_sum(rg_backward *b, rg_value *g) {
  rg_value *out = rg_back_op(b, "CumSum", 2, g, rg_back_input(b, 1));
  rg_back_set_int(b, out, "exclusive", rg_node_int(b->node, "exclusive", 0));
  rg_back_set_int(b, out, "reverse", !rg_node_int(b->node, "reverse", 0));
  rg_back_give(b, 0, out);
}

static const rg_adjoint_rule rules[] = {
    {"Reshape", reshape, NULL},
    {"Flatten", reshape, NULL},
    {"Squeeze", reshape, NULL},
    {"Unsqueeze", reshape, NULL},
    {"Transpose", transpose, NULL},
    {"Expand", expand, NULL},
    {"Tile", tile, supports_tile},
    {"DepthToSpace", depth_to_space, supports_depth_to_space},
    {"SpaceToDepth", space_to_depth, NULL},
    {"Trilu", triangle, NULL},
    {"ReverseSequence", reverse_sequence, NULL},
    {"CumSum", running_sum, NULL},
};
RG_ADJOINT_EXPORT(shape, rules);
