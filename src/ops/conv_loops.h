/* Convolution for one element type: included with T and NAME defined (family_conv.c). No guard. */

/* The innermost axis of one kernel element: y[o] += weight * x[o * stride + offset] where that lies inside x. */
static void NAME(conv_row)(const rg_conv_shape *s, int64_t offset, T weight, const T *x, T *y) {
  int64_t begin, end, x_step = s->stride[2] * s->x_stride[4], y_step = s->y_stride[4];
  inside(offset, s->stride[2], s->in[2], s->out[2], &begin, &end);
  int64_t from = offset * s->x_stride[4];
  if (x_step == 1 && y_step == 1) {
    for (int64_t o = begin; o < end; o++) y[o] += weight * x[from + o];
  } else {
    for (int64_t o = begin; o < end; o++) y[o * y_step] += weight * x[from + o * x_step];
  }
}

/* One input channel's part of one output channel: all kernel elements over the whole plane. */
static void NAME(conv_plane)(const rg_conv_shape *s, const T *x, const T *w, T *y) {
  for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
    int64_t depth_offset = kd * s->dilation[0] - s->pad[0], depth, depth_end;
    inside(depth_offset, s->stride[0], s->in[0], s->out[0], &depth, &depth_end);
    for (; depth < depth_end; depth++) {
      for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
        int64_t row_offset = kh * s->dilation[1] - s->pad[1], row, row_end;
        inside(row_offset, s->stride[1], s->in[1], s->out[1], &row, &row_end);
        const T *weights = w + (kd * s->kernel[1] + kh) * s->kernel[2];
        for (; row < row_end; row++) {
          const T *x_row = x + (depth * s->stride[0] + depth_offset) * s->x_stride[2] +
                           (row * s->stride[1] + row_offset) * s->x_stride[3];
          T *y_row = y + depth * s->y_stride[2] + row * s->y_stride[3];
          for (int64_t kw = 0; kw < s->kernel[2]; kw++)
            NAME(conv_row)(s, kw * s->dilation[2] - s->pad[2], weights[kw], x_row, y_row);
        }
      }
    }
  }
}

static void NAME(conv_fill)(const rg_conv_shape *s, T value, T *y) {
  for (int64_t d = 0; d < s->out[0]; d++)
    for (int64_t h = 0; h < s->out[1]; h++)
      for (int64_t w = 0; w < s->out[2]; w++) y[d * s->y_stride[2] + h * s->y_stride[3] + w * s->y_stride[4]] = value;
}

static void NAME(conv)(const rg_conv_shape *s, const T *x, const T *w, const T *bias, T *y) {
  int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
  for (int64_t n = 0; n < s->batch; n++) {
    for (int64_t m = 0; m < s->group * s->out_channels; m++) {
      int64_t first = m / s->out_channels * s->in_channels; /* of its group's input channels */
      T *y_plane = y + n * s->y_stride[0] + m * s->y_stride[1];
      NAME(conv_fill)(s, bias ? bias[m] : 0, y_plane);
      for (int64_t c = 0; c < s->in_channels; c++) NAME(conv_plane)
      (s, x + n * s->x_stride[0] + (first + c) * s->x_stride[1], w + (m * s->in_channels + c) * taps, y_plane);
    }
  }
}

/* The transpose: `s` describes the convolution that it transposes, whose output is our x and whose input is our y.
 * w is [group * out_channels][in_channels][kernel...]. */
static void NAME(conv_transpose_plane)(const rg_conv_shape *s, const T *x, const T *w, T *y) {
  for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
    for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
      for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
        int64_t offset[3] = {kd * s->dilation[0] - s->pad[0], kh * s->dilation[1] - s->pad[1],
                             kw * s->dilation[2] - s->pad[2]};
        int64_t begin[3], end[3];
        for (int i = 0; i < 3; i++) inside(offset[i], s->stride[i], s->in[i], s->out[i], &begin[i], &end[i]);
        T weight = w[(kd * s->kernel[1] + kh) * s->kernel[2] + kw];
        for (int64_t d = begin[0]; d < end[0]; d++)
          for (int64_t h = begin[1]; h < end[1]; h++) {
            const T *from = x + (d * s->out[1] + h) * s->out[2];
            T *to = y + ((d * s->stride[0] + offset[0]) * s->in[1] + h * s->stride[1] + offset[1]) * s->in[2];
            for (int64_t i = begin[2]; i < end[2]; i++) to[i * s->stride[2] + offset[2]] += weight * from[i];
          }
      }
    }
  }
}

static void NAME(conv_transpose)(const rg_conv_shape *s, const T *x, const T *w, const T *bias, T *y) {
  int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
  int64_t x_plane = s->out[0] * s->out[1] * s->out[2], y_plane = s->in[0] * s->in[1] * s->in[2];
  for (int64_t n = 0; n < s->batch; n++) {
    for (int64_t m = 0; m < s->group * s->in_channels; m++) {
      int64_t g = m / s->in_channels;
      T *to = y + (n * s->group * s->in_channels + m) * y_plane;
      for (int64_t i = 0; i < y_plane; i++) to[i] = bias ? bias[m] : 0;
      for (int64_t c = g * s->out_channels; c < (g + 1) * s->out_channels; c++) NAME(conv_transpose_plane)
      (s, x + (n * s->group * s->out_channels + c) * x_plane, w + (c * s->in_channels + m % s->in_channels) * taps, to);
    }
  }
}
