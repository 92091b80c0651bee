// What all shaders share. Values lie in memory as STORE: float, or float16_t where -DHALF; arithmetic is float.
#extension GL_EXT_control_flow_attributes : require
#ifdef HALF
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define STORE  float16_t
#define STORE4 f16vec4
#else
#define STORE  float
#define STORE4 vec4
#endif
// The group's place in a dispatch that rg_gpu_groups spread over two axes.
#define FLAT_GROUP (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x)

// By its bits, which no compiler takes for always false.
bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
bvec4 are_nan(vec4 x) { return greaterThan(floatBitsToUint(x) & 0x7fffffffu, uvec4(0x7f800000u)); }

// NaN on either side gives NaN, which the language doesn't promise: drivers make its minimum and maximum of comparisons,
// too.
float larger(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : max(a, b); }
float smaller(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : min(a, b); }
vec4 larger(vec4 a, vec4 b) { return mix(mix(max(a, b), b, are_nan(b)), a, are_nan(a)); }
vec4 smaller(vec4 a, vec4 b) { return mix(mix(min(a, b), b, are_nan(b)), a, are_nan(a)); }
