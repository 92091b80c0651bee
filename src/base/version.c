#include "rango.h"

const char *rango_version(void) { return RANGO_VERSION_STRING; }
