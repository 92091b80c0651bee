"""Reductions, ArgMax and ArgMin, CumSum."""
import numpy as np

FLOAT_ONLY = ("ReduceLogSum", "ReduceLogSumExp")
REDUCTIONS = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
              "ReduceSumSquare") + FLOAT_ONLY


def some_axes(suite, rank):
    axes = [axis for axis in range(rank) if suite.integer(0, 1)]
    return np.array([suite.pick(axis, axis - rank) for axis in axes], np.int64)


def reduction(suite, op, dtype):
    x = suite.floats(*suite.shape(1, 5), low=0.1, high=2) if op in FLOAT_ONLY else suite.floats(*suite.shape(1, 5))
    x = x.astype(dtype)
    axes = some_axes(suite, x.ndim)
    opset = suite.pick(11, 13, 18)
    by_input = opset >= (13 if op == "ReduceSum" else 18)
    keep = suite.pick(None, 0, 1)
    if by_input:
        suite.case(op, [x, suite.pick(axes, None)], opset=opset, constant=suite.pick((), (1,)), keepdims=keep,
                   noop_with_empty_axes=suite.pick(None, 0, 1))
    else:
        suite.case(op, [x], opset=opset, axes=axes if len(axes) else None, keepdims=keep)


def generate(suite):
    for op in REDUCTIONS:
        for _ in range(10):
            reduction(suite, op, np.float32)
        reduction(suite, op, np.float64)
        reduction(suite, op, np.float16)
    for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean"):
        for dtype in (np.int32, np.int64):
            suite.case(op, [suite.integers(3, 4, 5, dtype=dtype)], opset=13 if op != "ReduceSum" else 11, axes=[1])
    for op in ("ReduceMax", "ReduceMin"):
        for dtype in (np.int8, np.uint8):
            suite.case(op, [suite.integers(3, 40, low=0, high=100, dtype=dtype)], opset=13, axes=[-1])
        suite.case(op, [np.array([[1, np.inf, -np.inf], [0, -0.0, 2]], np.float32)], opset=13, axes=[1])
    suite.case("ReduceLogSumExp", [np.array([[500, 501, -700], [-800, -801, -802]], np.float32)], opset=13, axes=[1])
    suite.case("ReduceSum", [np.zeros((2, 0, 3), np.float32), np.array([1], np.int64)], opset=13,
               expected=[np.zeros((2, 1, 3), np.float32)])
    for op in ("ArgMax", "ArgMin"):
        for dtype in (np.float32, np.float32, np.float32, np.float64, np.int32, np.int64):
            x = suite.integers(*suite.shape(1, 4), low=0, high=3).astype(dtype)
            suite.case(op, [x], opset=13, axis=suite.integer(-x.ndim, x.ndim - 1), keepdims=suite.pick(None, 0),
                       select_last_index=suite.pick(None, 1))
    for dtype in (np.float32, np.float64, np.int32, np.int64):
        for exclusive in (0, 1):
            for reverse in (0, 1):
                x = suite.floats(*suite.shape(1, 4), low=-5, high=5).astype(dtype)
                axis = np.array(suite.integer(-x.ndim, x.ndim - 1), suite.pick(np.int32, np.int64))
                suite.case("CumSum", [x, axis], opset=14, constant=(1,), exclusive=exclusive, reverse=reverse)
