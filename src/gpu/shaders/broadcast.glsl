// Where the elements of arrays lie that are broadcast to a result whose axes have the sizes dim0 (innermost) to dim4 and
// one more. Bit i of a mask: the array goes along axis i; it is dense over those it goes along. DENSE: along all.
#define DENSE 0x40u
#define ALONG(bit, size)                        \
  if (mask >= bit) {                            \
    const uvec4 outer = rest / size;            \
    if ((mask & bit) != 0) {                    \
      at += (rest - outer * size) * stride;     \
      stride *= size;                           \
    }                                           \
    rest = outer;                               \
  }

uvec4 place_by_axes(uint mask, uvec4 i) {
  uvec4 rest = i, at = uvec4(0);
  uint stride = 1;
  ALONG(1u, dim0)
  ALONG(2u, dim1)
  ALONG(4u, dim2)
  ALONG(8u, dim3)
  ALONG(16u, dim4)
  if (mask >= 32u) at += rest * stride;
  return at;
}

uvec4 place(uint mask, uvec4 i) { return mask == DENSE ? i : place_by_axes(mask, i); }
