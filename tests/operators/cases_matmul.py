"""Gemm, MatMul."""
import numpy as np


def gemm(suite, dtype=np.float32, high=40):
    m, k, n = suite.integer(1, high), suite.integer(1, high), suite.integer(1, high)
    trans_a, trans_b = suite.pick(0, 1), suite.pick(0, 1)
    a = suite.floats(*((k, m) if trans_a else (m, k))).astype(dtype)
    b = suite.floats(*((n, k) if trans_b else (k, n))).astype(dtype)
    inputs = [a, b]
    c_shape = suite.pick(None, (n,), (1, n), (m, 1), (m, n), (1,), ())
    if c_shape is not None:
        inputs.append(suite.floats(*c_shape).astype(dtype))
    constant = suite.pick((), (1,), range(1, len(inputs)), range(1, len(inputs)))
    suite.case("Gemm", inputs, opset=suite.pick(11, 13, 17), constant=constant, transA=trans_a, transB=trans_b,
               alpha=suite.pick(None, None, 0.5, -2.0), beta=suite.pick(None, None, 0.25, 3.0))


def matmul(suite, dtype=np.float32):
    m, k, n = (suite.integer(1, 20) for _ in range(3))
    outer = suite.shape(0, 3, 4)
    outer_a = [1 if suite.integer(0, 3) == 0 else size for size in outer]
    outer_b = [1 if suite.integer(0, 3) == 0 else size for size in outer]
    if suite.pick(True, False):
        outer_b = outer_b[suite.integer(0, len(outer_b)):]
    a, b = suite.floats(*outer_a, m, k), suite.floats(*outer_b, k, n)
    kind = suite.pick("both", "both", "both", "left", "right")
    if kind == "left":
        a = a.reshape(-1)[:k]
    if kind == "right":
        b = b.reshape(-1)[:k]
    suite.case("MatMul", [(a * 3).astype(dtype), (b * 3).astype(dtype)], opset=suite.pick(9, 13, 17),
               constant=suite.pick((), (1,), (1,), (0,)))


def generate(suite):
    for _ in range(60):
        gemm(suite)
    for m, k, n in ((1, 300, 200), (5, 129, 257), (64, 64, 64), (33, 1, 17), (1, 513, 1)):
        suite.case("Gemm", [suite.floats(m, k), suite.floats(n, k), suite.floats(n)], constant=(1, 2), transB=1)
    for dtype in (np.float64, np.float64, np.float16, np.float16):
        gemm(suite, dtype, 12)
    for _ in range(60):
        matmul(suite)
    for dtype in (np.float64, np.int32, np.int64, np.uint32, np.uint64, np.float16):
        matmul(suite, dtype)
        matmul(suite, dtype)
