"""TopK, NonMaxSuppression."""
import numpy as np


def topk(suite, dtype=np.float32):
    x = suite.floats(*suite.shape(1, 4, 9), low=-50, high=50).astype(dtype)
    axis = suite.integer(-x.ndim, x.ndim - 1)
    k = np.array([suite.integer(1, x.shape[axis])], np.int64)
    suite.case("TopK", [x, k], opset=suite.pick(11, 13, 17), outputs=2, constant=suite.pick((), (1,)), axis=axis,
               largest=suite.pick(None, 0), sorted=1)


def nms(suite):
    batch, classes, boxes = suite.integer(1, 2), suite.integer(1, 3), suite.integer(1, 12)
    corner, size = suite.floats(batch, boxes, 2, low=0, high=5), suite.floats(batch, boxes, 2, low=0.5, high=3)
    scores = suite.floats(batch, classes, boxes, low=0, high=1)
    centred = suite.pick(0, 1)
    data = np.concatenate([corner, size] if centred else [corner, corner + size], axis=-1)
    inputs = [data, scores, np.array([suite.integer(1, 5)], np.int64), np.array([suite.pick(0.0, 0.3, 0.5)], np.float32),
              np.array([suite.pick(0.0, 0.2, 0.6)], np.float32)]
    suite.case("NonMaxSuppression", inputs, opset=11, constant=(2, 3, 4), center_point_box=centred)


def generate(suite):
    for _ in range(24):
        topk(suite)
    for dtype in (np.int64, np.int32, np.float64):
        topk(suite, dtype)
    suite.case("TopK", [np.array([3, 1, 3, 2, 1, 3], np.float32), np.array([4], np.int64)], opset=11, outputs=2)
    for _ in range(16):
        nms(suite)
