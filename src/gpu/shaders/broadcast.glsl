// Where the elements of arrays lie that are broadcast to a result whose axes have the sizes dim0 (innermost) to dim4
// and one more. Bit i of a mask: the array goes along axis i; it is dense over those it goes along. DENSE: along all.
#define DENSE 0x40u

// n / size, for n < 2^31: magic is 2^(31 + l) / size, rounded up, where 2^l is the first power not below size (Granlund
// and Montgomery, Division by invariant integers using multiplication, 1994).
uvec4 divided(uvec4 n, uint size, uint magic) {
  uvec4 high, low;
  umulExtended(2 * n, uvec4(magic), high, low);
  return high >> uint(findMSB(size - 1) + 1);
}

#define ALONG(bit, size, magic)                        \
  if (mask >= bit) {                                   \
    const uvec4 outer = divided(rest, size, magic);    \
    if ((mask & bit) != 0) {                           \
      at += (rest - outer * size) * stride;            \
      stride *= size;                                  \
    }                                                  \
    rest = outer;                                      \
  }

uvec4 place_by_axes(uint mask, uvec4 i) {
  uvec4 rest = i, at = uvec4(0);
  uint stride = 1;
  ALONG(1u, dim0, magic0)
  ALONG(2u, dim1, magic1)
  ALONG(4u, dim2, magic2)
  ALONG(8u, dim3, magic3)
  ALONG(16u, dim4, magic4)
  if (mask >= 32u) at += rest * stride;
  return at;
}

uvec4 place(uint mask, uvec4 i) { return mask == DENSE ? i : place_by_axes(mask, i); }
