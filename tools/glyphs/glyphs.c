#include "glyphs.h"

#include <math.h>
#include <stddef.h>

/* A stroke in glyph coordinates: x to the right and y down, the character filling [-0.35, 0.35] x [-0.5, 0.5]. A line
 * from (a, b) to (c, d), or an arc of the ellipse around (a, b) with radii (c, d) from angle `from` to `to` in degrees,
 * clockwise from the right. */
typedef struct stroke {
  enum { END, LINE, ARC } kind;
  double a, b, c, d, from, to;
} stroke;

#define MAX_STROKES  5
#define ARC_SEGMENTS 14

/* Look-alikes stand together, so that a network has something to lose: C G O Q, E F, P R B 8, S 5, Z 2, I T. */
static const struct {
  char character;
  stroke strokes[MAX_STROKES];
} classes[RG_GLYPH_CLASSES] = {
    {'C', {{ARC, 0, 0, 0.34, 0.48, 45, 315}}},
    {'G', {{ARC, 0, 0, 0.34, 0.48, 30, 315}, {LINE, 0.3, 0.22, 0.3, 0.04, 0, 0}, {LINE, 0.3, 0.04, 0.1, 0.04, 0, 0}}},
    {'O', {{ARC, 0, 0, 0.34, 0.48, 0, 360}}},
    {'Q', {{ARC, 0, 0, 0.34, 0.48, 0, 360}, {LINE, 0.1, 0.25, 0.34, 0.5, 0, 0}}},
    {'E',
     {{LINE, -0.28, -0.48, -0.28, 0.48, 0, 0},
      {LINE, -0.28, -0.48, 0.3, -0.48, 0, 0},
      {LINE, -0.28, 0, 0.2, 0, 0, 0},
      {LINE, -0.28, 0.48, 0.3, 0.48, 0, 0}}},
    {'F',
     {{LINE, -0.28, -0.48, -0.28, 0.48, 0, 0}, {LINE, -0.28, -0.48, 0.3, -0.48, 0, 0}, {LINE, -0.28, 0, 0.2, 0, 0, 0}}},
    {'P',
     {{LINE, -0.28, -0.48, -0.28, 0.48, 0, 0},
      {LINE, -0.28, -0.48, 0.05, -0.48, 0, 0},
      {ARC, 0.05, -0.22, 0.26, 0.26, -90, 90},
      {LINE, -0.28, 0.04, 0.05, 0.04, 0, 0}}},
    {'R',
     {{LINE, -0.28, -0.48, -0.28, 0.48, 0, 0},
      {LINE, -0.28, -0.48, 0.05, -0.48, 0, 0},
      {ARC, 0.05, -0.22, 0.26, 0.26, -90, 90},
      {LINE, -0.28, 0.04, 0.05, 0.04, 0, 0},
      {LINE, 0.05, 0.04, 0.32, 0.48, 0, 0}}},
    {'B',
     {{LINE, -0.28, -0.48, -0.28, 0.48, 0, 0},
      {ARC, -0.02, -0.24, 0.3, 0.24, -90, 90},
      {ARC, -0.02, 0.24, 0.34, 0.24, -90, 90},
      {LINE, -0.28, -0.48, -0.02, -0.48, 0, 0},
      {LINE, -0.28, 0.48, -0.02, 0.48, 0, 0}}},
    {'8', {{ARC, 0, -0.24, 0.25, 0.24, 0, 360}, {ARC, 0, 0.24, 0.3, 0.24, 0, 360}}},
    {'S', {{ARC, 0, -0.24, 0.29, 0.24, 90, 330}, {ARC, 0, 0.24, 0.29, 0.24, -90, 150}}},
    {'5',
     {{LINE, 0.26, -0.48, -0.22, -0.48, 0, 0},
      {LINE, -0.22, -0.48, -0.24, -0.06, 0, 0},
      {ARC, -0.02, 0.19, 0.3, 0.29, -135, 140}}},
    {'Z',
     {{LINE, -0.3, -0.48, 0.3, -0.48, 0, 0},
      {LINE, 0.3, -0.48, -0.3, 0.48, 0, 0},
      {LINE, -0.3, 0.48, 0.3, 0.48, 0, 0}}},
    {'2',
     {{ARC, 0, -0.2, 0.28, 0.28, -160, 30},
      {LINE, 0.242, -0.06, -0.3, 0.48, 0, 0},
      {LINE, -0.3, 0.48, 0.3, 0.48, 0, 0}}},
    {'I',
     {{LINE, 0, -0.48, 0, 0.48, 0, 0}, {LINE, -0.14, 0.48, 0.14, 0.48, 0, 0}, {LINE, -0.14, -0.48, 0.14, -0.48, 0, 0}}},
    {'T', {{LINE, 0, -0.48, 0, 0.48, 0, 0}, {LINE, -0.32, -0.48, 0.32, -0.48, 0, 0}}},
};

char rg_glyph_character(int label) { return classes[label].character; }

static double between(rg_random *random, double low, double high) {
  return low + (high - low) * rg_random_uniform(random);
}

void rg_glyph_draw(rg_random *random, rg_glyph *out) {
  out->label = (int)rg_random_below(random, RG_GLYPH_CLASSES);
  out->shift_x = between(random, -7, 7);
  out->shift_y = between(random, -7, 7);
  out->rotation = between(random, -0.35, 0.35);
  out->scale = between(random, 0.55, 1.1);
  out->slant = between(random, -0.3, 0.3);
  out->stroke = between(random, 1.0, 3.0);
  out->contrast = between(random, 0.25, 1.0);
  out->noise = between(random, 0.02, 0.5);
}

/* The strokes of a class as straight segments in pixels of the image; returns how many. */
static int place_segments(const rg_glyph *glyph, double segments[][4]) {
  const double size = 40 * glyph->scale, cosine = cos(glyph->rotation), sine = sin(glyph->rotation);
  const double centre_x = RG_GLYPH_SIZE / 2.0 + glyph->shift_x, centre_y = RG_GLYPH_SIZE / 2.0 + glyph->shift_y;
  const double degree = acos(-1.0) / 180;
  int count = 0;
  for (int s = 0; s < MAX_STROKES && classes[glyph->label].strokes[s].kind != END; s++) {
    const stroke *line = &classes[glyph->label].strokes[s];
    const int pieces = line->kind == LINE ? 1 : ARC_SEGMENTS;
    for (int i = 0; i <= pieces; i++) {
      double x, y;
      if (line->kind == LINE) {
        x = i ? line->c : line->a;
        y = i ? line->d : line->b;
      } else {
        const double angle = (line->from + (line->to - line->from) * i / pieces) * degree;
        x = line->a + line->c * cos(angle);
        y = line->b + line->d * sin(angle);
      }
      x -= glyph->slant * y;
      const double px = centre_x + size * (cosine * x - sine * y), py = centre_y + size * (sine * x + cosine * y);
      if (i < pieces) segments[count + i][0] = px, segments[count + i][1] = py;
      if (i > 0) segments[count + i - 1][2] = px, segments[count + i - 1][3] = py;
    }
    count += pieces;
  }
  return count;
}

static double squared_distance(double x, double y, const double segment[4]) {
  const double dx = segment[2] - segment[0], dy = segment[3] - segment[1];
  double t = ((x - segment[0]) * dx + (y - segment[1]) * dy) / (dx * dx + dy * dy + 1e-12);
  t = t < 0 ? 0 : t > 1 ? 1 : t;
  const double ex = x - segment[0] - t * dx, ey = y - segment[1] - t * dy;
  return ex * ex + ey * ey;
}

void rg_glyph_render(const rg_glyph *glyph, rg_random *random, float *image) {
  double segments[MAX_STROKES * ARC_SEGMENTS][4];
  const int count = place_segments(glyph, segments);
  const double paper = 0.5 - glyph->contrast / 2;
  for (int row = 0; row < RG_GLYPH_SIZE; row++)
    for (int column = 0; column < RG_GLYPH_SIZE; column++) {
      double nearest = 1e9;
      for (int s = 0; s < count; s++) {
        const double distance = squared_distance(column + 0.5, row + 0.5, segments[s]);
        if (distance < nearest) nearest = distance;
      }
      /* A logistic edge about a pixel wide: smooth in every factor. */
      const double ink = 1 / (1 + exp(2.5 * (sqrt(nearest) - glyph->stroke)));
      double value = paper + glyph->contrast * ink;
      if (random && glyph->noise > 0) value += glyph->noise * rg_random_normal(random);
      image[row * RG_GLYPH_SIZE + column] = (float)(value < 0 ? 0 : value > 1 ? 1 : value);
    }
}
