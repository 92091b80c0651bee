"""Normalisations and the softmax family."""
import numpy as np


def batch_norm(suite):
    x = suite.floats(suite.integer(1, 3), suite.pick(1, 3, 17), *suite.shape(0, 3, 6))
    c = x.shape[1]
    suite.case("BatchNormalization", [x, suite.floats(c), suite.floats(c), suite.floats(c), suite.floats(c, low=0.1)],
               opset=suite.pick(9, 14, 15), constant=suite.pick((), (1, 2, 3, 4)), epsilon=suite.pick(None, 1e-3))


def layer_norm(suite):
    x = suite.floats(*suite.shape(1, 4, 9))
    axis = suite.integer(-x.ndim, x.ndim - 1)
    shape = x.shape[axis:] if axis < 0 else x.shape[axis:]
    inputs = [x, suite.floats(*shape)] + ([suite.floats(*shape)] if suite.pick(True, False) else [])
    suite.case("LayerNormalization", inputs, opset=17, outputs=suite.pick(1, 1, 3),
               constant=suite.pick((), range(1, len(inputs))), axis=axis, epsilon=suite.pick(None, 1e-2))


def rms_norm(suite):
    x = suite.floats(*suite.shape(1, 4, 9))
    axis = suite.integer(-x.ndim, -1)
    scale = suite.floats(*x.shape[axis:])
    axes = tuple(range(axis, 0))
    y = x / np.sqrt(np.mean(x.astype(np.float64) ** 2, axis=axes, keepdims=True) + 1e-5) * scale
    suite.case("RMSNormalization", [x, scale], opset=23, axis=axis, expected=[y.astype(np.float32)])


def group_norm(suite, opset):
    groups, span = suite.integer(1, 4), suite.integer(1, 4)
    x = suite.floats(suite.integer(1, 3), groups * span, *suite.shape(1, 3, 6))
    count = groups if opset < 21 else groups * span
    scale, bias = suite.floats(count), suite.floats(count)
    rows = x.astype(np.float64).reshape(x.shape[0], groups, -1)
    rows = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-5)
    by_channel = [1, -1] + [1] * (x.ndim - 2)
    wide = [np.repeat(v, span) if opset < 21 else v for v in (scale, bias)]
    y = rows.reshape(x.shape) * wide[0].reshape(by_channel) + wide[1].reshape(by_channel)
    suite.case("GroupNormalization", [x, scale, bias], opset=opset, num_groups=groups, expected=[y.astype(np.float32)])


def generate(suite):
    for _ in range(20):
        batch_norm(suite)
    for _ in range(24):
        layer_norm(suite)
    for _ in range(10):
        rms_norm(suite)
    for i in range(10):
        group_norm(suite, 18 if i % 2 else 21)
    for _ in range(10):
        x = suite.floats(suite.integer(1, 3), suite.integer(1, 9), *suite.shape(1, 3, 6))
        suite.case("InstanceNormalization", [x, suite.floats(x.shape[1]), suite.floats(x.shape[1])], opset=suite.pick(6, 17))
    for _ in range(8):
        x = suite.floats(*suite.shape(1, 4, 7))
        suite.case("LpNormalization", [x], axis=suite.integer(-x.ndim, x.ndim - 1), p=suite.pick(1, 2))
    for _ in range(4):
        suite.case("MeanVarianceNormalization", [suite.floats(2, 3, 4, 5)], opset=13, axes=suite.pick(None, [0, 2, 3], [1, 2]))
    for _ in range(8):
        x = suite.floats(suite.integer(1, 2), suite.integer(1, 12), 4, 5)
        suite.case("LRN", [x], size=suite.pick(1, 3, 5), alpha=suite.pick(None, 0.1), beta=suite.pick(None, 0.5),
                   bias=suite.pick(None, 2.0))
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for _ in range(16 if op == "Softmax" else 10):
            x = suite.floats(*suite.shape(1, 4, 20 if op == "Softmax" else 7), low=-20, high=20)
            axis = suite.integer(-x.ndim, x.ndim - 1)
            suite.case(op, [x], opset=suite.pick(11, 13, 17), axis=axis if x.ndim == 1 else suite.pick(None, axis))
    suite.case("Softmax", [suite.floats(4, 33).astype(np.float16)], opset=13)
    suite.case("Softmax", [suite.floats(4, 33, dtype=np.float64)], opset=13)
    suite.case("Softmax", [np.array([[1e30, -1e30, 1e30], [-np.inf, 0, 1]], np.float32)], opset=13)
