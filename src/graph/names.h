/* Who has which name: a hash table keyed by (scope, name). Scopes are graphs; &names_anywhere holds every name of the
 * model, and the model itself the names of symbolic sizes. */
#ifndef RG_GRAPH_NAMES_H
#define RG_GRAPH_NAMES_H

#include "base/error.h"

typedef struct rg_names rg_names;

rango_status rg_names_create(rg_names **out);
void rg_names_free(rg_names *names);
/* What was put under this name in this scope, or NULL. `names` may be NULL. */
void *rg_names_find(const rg_names *names, const void *scope, const char *name);
/* Puts it there, in place of what was. `name` is kept, not copied; `what` is not NULL. */
rango_status rg_names_put(rg_names *names, const void *scope, const char *name, void *what);

#endif
