// Elements that are moved, four a thread: of 4 bytes (-DWORD), 8 (-DPAIR), 16 (-DQUAD), 2 (-DHALF) or 1 (-DBYTE: four a
// word). A thread's elements lie 256 apart, so that neighbouring threads touch neighbouring memory; bytes follow each
// other, so that a thread writes whole words.
#if defined(QUAD)
#define ELEMENT uvec4
#define MEMORY  uvec4
#elif defined(PAIR)
#define ELEMENT uvec2
#define MEMORY  uvec2
#elif defined(HALF)
#define ELEMENT uint
#define MEMORY  uint16_t
#else
#define ELEMENT uint
#define MEMORY  uint
#endif

#ifdef BYTE
#define AT_ONCE (FLAT_GROUP * 1024 + 4 * gl_LocalInvocationID.x + uvec4(0, 1, 2, 3))
#define LOAD_ELEMENT(array, i) (array[(i) >> 2] >> (8 * ((i) & 3u)) & 255u)
// A thread's four, at the places `at`, as far as they are less than `count`.
#define STORE_ELEMENTS(array, values) \
  if (at[0] < count) array[at[0] >> 2] = values[0] | values[1] << 8 | values[2] << 16 | values[3] << 24
#else
#define AT_ONCE (FLAT_GROUP * 1024 + gl_LocalInvocationID.x + uvec4(0, 256, 512, 768))
#define LOAD_ELEMENT(array, i) ELEMENT(array[i])
#define STORE_ELEMENTS(array, values) \
  for (uint k = 0; k < 4; k++)        \
    if (at[k] < count) array[at[k]] = MEMORY(values[k])
#endif
