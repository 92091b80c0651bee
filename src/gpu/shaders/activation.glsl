// Functions of one element, numbered as rg_activation_kind (ops/support.h). The language's own exp and tanh may
// overflow on the way to a finite result, and it has no erf: polynomials (minimax fits) stand where they are exact
// enough.
#define ACT_NONE         0u
#define ACT_RELU         1u
#define ACT_CLIP         2u
#define ACT_LEAKY_RELU   3u
#define ACT_SIGMOID      4u
#define ACT_TANH         5u
#define ACT_GELU         6u
#define ACT_GELU_TANH    7u
#define ACT_HARD_SIGMOID 8u
#define ACT_HARD_SWISH   9u
#define ACT_SILU         10u
#define ACT_ELU          11u
#define ACT_ERF          12u
#define ACT_EXP          13u
#define ACT_LOG          14u
#define ACT_SQRT         15u
#define ACT_RECIPROCAL   16u
#define ACT_SQUARE       17u
#define ACT_ABS          18u
#define ACT_NEG          19u
#define ACT_FLOOR        20u
#define ACT_CEIL         21u
#define ACT_ROUND        22u

// Of one element, and of four, which tell apart by their type: float activate(kind, alpha, beta, float), and vec4.
#define VALUE         float
#define PICK(c, a, b) ((c) ? (a) : (b))
#define LESS(a, b)    ((a) < (b))
#define NAN(a)        is_nan(a)
#include "activation_of.glsl"
#undef VALUE
#undef PICK
#undef LESS
#undef NAN
#define VALUE         vec4
#define PICK(c, a, b) mix(b, a, c)
#define LESS(a, b)    lessThan(a, vec4(b))
#define NAN(a)        are_nan(a)
#include "activation_of.glsl"
#undef VALUE
#undef PICK
#undef LESS
#undef NAN
