// Reductions along rows: a group of 256 threads works on `width` rows, `lanes` threads on each. Where elements of a row
// lie beside each other (`along`), so do the threads of a row; else those of neighbouring rows do. The including
// shader's push constants have lanes, width and along.
#define REDUCE_ADD      0u
#define REDUCE_MAX      1u
#define REDUCE_MIN      2u
#define REDUCE_MULTIPLY 3u

shared float partial[256], eighths[256];

// Both are powers of two.
uint row_lane() {
  return along != 0 ? gl_LocalInvocationID.x & (lanes - 1) : gl_LocalInvocationID.x >> uint(findMSB(width));
}
uint row_slot() {
  return along != 0 ? gl_LocalInvocationID.x >> uint(findMSB(lanes)) : gl_LocalInvocationID.x & (width - 1);
}

float combine(uint how, float a, float b) {
  switch (how) {
  case REDUCE_ADD: a = a + b; break;
  case REDUCE_MAX: a = larger(a, b); break;
  case REDUCE_MIN: a = smaller(a, b); break;
  case REDUCE_MULTIPLY: a = a * b; break;
  }
  return a;
}

// All lanes' values of a row, combined; every thread of the group calls it. In two steps, by up to eight lanes and by
// all: barriers cost more than a few additions twice.
float over_lanes(uint how, float value) {
  const uint lane = row_lane(), slot = row_slot(), some = min(lanes, 8);
  partial[lane * width + slot] = value;
  barrier();
  if (lane < some) {
    for (uint other = lane + some; other < lanes; other += some)
      value = combine(how, value, partial[other * width + slot]);
    eighths[lane * width + slot] = value;
  }
  barrier();
  float result = eighths[slot];
  for (uint other = 1; other < some; other++) result = combine(how, result, eighths[other * width + slot]);
  return result;
}
