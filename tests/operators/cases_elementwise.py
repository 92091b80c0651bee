"""Functions of one element, broadcast arithmetic and comparisons, Where, Clip, Cast."""
import numpy as np
from onnx import helper

PLAIN = {  # operator: opset, and the range of inputs
    "Abs": (13, -2, 2), "Acos": (7, -1, 1), "Acosh": (9, 1, 4), "Asin": (7, -1, 1), "Asinh": (9, -4, 4),
    "Atan": (7, -4, 4), "Atanh": (9, -0.95, 0.95), "Ceil": (13, -3, 3), "Celu": (12, -3, 3), "Cos": (7, -9, 9),
    "Cosh": (9, -3, 3), "Elu": (6, -3, 3), "Erf": (13, -3, 3), "Exp": (13, -5, 5), "Floor": (13, -3, 3),
    "Gelu": (20, -4, 4), "HardSigmoid": (6, -4, 4), "HardSwish": (14, -5, 5), "LeakyRelu": (16, -3, 3),
    "Log": (13, 0.01, 9), "Mish": (18, -5, 5), "Neg": (13, -2, 2), "Reciprocal": (13, 0.2, 3), "Relu": (14, -2, 2),
    "Round": (11, -4, 4), "Selu": (6, -3, 3), "Shrink": (9, -2, 2), "Sigmoid": (13, -20, 20), "Sign": (13, -1, 1),
    "Sin": (7, -9, 9), "Sinh": (9, -3, 3), "Softplus": (1, -30, 30), "Softsign": (1, -5, 5), "Sqrt": (13, 0, 9),
    "Tan": (7, -1.3, 1.3), "Tanh": (13, -5, 5), "ThresholdedRelu": (10, -3, 3)}

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 88.0, -88.0, 0.5, 1.5, 2.5, -0.5, -2.5], np.float32)


def unary(suite):
    for op, (opset, low, high) in PLAIN.items():
        for dtype in (np.float32, np.float64, np.float16):  # ONNX Runtime has many of them for float32 alone
            x = suite.floats(*suite.shape(0, 4), low=low, high=high, dtype=np.float16)
            expected = suite.case(op, [x.astype(np.float32)], opset=opset)
            if dtype != np.float32:
                suite.case(op, [x.astype(dtype)], opset=opset, expected=[expected[0].astype(dtype)])
        if low < 0 < high:
            suite.case(op, [SPECIAL], opset=opset)
    for op in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu"):
        suite.case(op, [suite.floats(3, 7)], opset=16, alpha=suite.pick(0.3, 1.7))
    suite.case("HardSigmoid", [suite.floats(3, 7)], alpha=0.6, beta=0.1)
    suite.case("Selu", [suite.floats(3, 7)], alpha=1.2, gamma=0.7)
    suite.case("Shrink", [suite.floats(3, 7)], lambd=0.7, bias=0.3)
    suite.case("Gelu", [suite.floats(3, 7)], opset=20, approximate="tanh")
    for op in ("Abs", "Neg", "Sign", "Relu"):
        for dtype in (np.int8, np.int32, np.int64):
            suite.case(op, [suite.integers(2, 9, dtype=dtype)], opset=14)
    for dtype in (np.uint8, np.uint64):
        suite.case("Sign", [suite.integers(2, 9, low=0, dtype=dtype)])
    suite.case("Not", [suite.integers(3, 5, low=0, high=1).astype(bool)])
    suite.case("BitwiseNot", [suite.integers(3, 5, dtype=np.int16)], opset=18)
    suite.case("IsNaN", [SPECIAL])
    for positive, negative in ((1, 1), (1, 0), (0, 1)):
        suite.case("IsInf", [SPECIAL], detect_positive=positive, detect_negative=negative)


def stretch(suite, shape):
    """A shape that broadcasts with `shape`: axes set to 1, leading ones dropped."""
    out = [suite.pick(1, size) for size in shape]
    return out[suite.integer(0, len(out)):]


def pair(suite, dtype, **bounds):
    shape = suite.shape(0, 4)
    shapes = [shape, stretch(suite, shape)]
    if suite.integer(0, 1):
        shapes.reverse()
    if np.issubdtype(dtype, np.floating):
        return [suite.floats(*s, **bounds).astype(dtype) for s in shapes]
    if dtype == np.bool_:
        return [suite.integers(*s, low=0, high=1).astype(bool) for s in shapes]
    low = 0 if np.issubdtype(dtype, np.unsignedinteger) else -10
    return [suite.integers(*s, low=low).astype(dtype) for s in shapes]


def arithmetic(suite):
    for op in ("Add", "Sub", "Mul", "Div"):
        for dtype in (np.float32,) * 4 + (np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8, np.uint64):
            a, b = pair(suite, dtype)
            if op == "Div":
                b = np.where(b == 0, 3, b).astype(dtype)
            suite.case(op, [a, b], opset=14, constant=suite.pick((), (1,)))
    for dtype in (np.float32, np.int32, np.int64):
        base, exponent = pair(suite, dtype)
        suite.case("Pow", [np.abs(base), np.abs(exponent) % 4], opset=15)
    suite.case("Pow", [suite.floats(2, 3, 4), np.float32(2)], opset=15)
    suite.case("Pow", [suite.floats(2, 3, low=0.1), np.array([-1, 2, 3], np.int64)], opset=15)
    suite.case("Pow", [suite.integers(2, 3, dtype=np.int32), np.array([2.0], np.float32)], opset=15)
    for dtype in (np.int32, np.int64, np.int8, np.uint8, np.uint32):
        a, b = pair(suite, dtype)
        for fmod in (0, 1):
            suite.case("Mod", [a, np.where(b == 0, 3, b).astype(dtype)], opset=13, fmod=fmod)
    a, b = pair(suite, np.float32)
    suite.case("Mod", [a, np.where(b == 0, 1, b).astype(np.float32)], opset=13, fmod=1)
    for op in ("Min", "Max", "Sum", "Mean"):
        for count in (1, 2, 3):
            shape = suite.shape(1, 3)
            suite.case(op, [suite.floats(*suite.pick(shape, stretch(suite, shape))) for _ in range(count)], opset=13)
    for op in ("Min", "Max"):
        for dtype in (np.int32, np.int64, np.uint64, np.float64, np.float16):
            suite.case(op, pair(suite, dtype), opset=13)
        suite.case(op, [SPECIAL, SPECIAL[::-1].copy()], opset=13)
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        for dtype in (np.uint8, np.int32, np.uint64):
            suite.case(op, pair(suite, dtype), opset=18)
    for direction in ("LEFT", "RIGHT"):
        for dtype in (np.uint8, np.uint32, np.uint64):
            suite.case("BitShift", [suite.integers(9, low=0, high=200, dtype=dtype), np.arange(9, dtype=dtype) % 8],
                       direction=direction)
    for shape in ([3, 1, 1], [1], [3, 4, 5]):
        suite.case("PRelu", [suite.floats(2, 3, 4, 5), suite.floats(*shape)], opset=16)


def old_broadcast(suite):
    """Before opset 7 the attribute axis placed the second input's axes."""
    a = suite.floats(2, 3, 4, 5)
    for axis, shape, full in ((None, [5], [5]), (1, [3], [3, 1, 1]), (1, [3, 4], [3, 4, 1]), (0, [2], [2, 1, 1, 1])):
        b = suite.floats(*shape)
        suite.case("Sub", [a, b], opset=6, broadcast=1, axis=axis, expected=[a - b.reshape(full)])


def comparisons(suite):
    for op, opset in (("Less", 13), ("LessOrEqual", 16), ("Greater", 13), ("GreaterOrEqual", 16), ("Equal", 13)):
        for dtype in (np.float32, np.float64, np.int32, np.int64):
            suite.case(op, [array.round() for array in pair(suite, dtype)], opset=opset)
        suite.case(op, [SPECIAL, SPECIAL[::-1].copy()], opset=opset)
    suite.case("Equal", pair(suite, np.bool_), opset=13)
    for op in ("And", "Or", "Xor"):
        for _ in range(3):
            suite.case(op, pair(suite, np.bool_), opset=7)


def selection(suite):
    for dtype in (np.float32, np.float64, np.int64, np.int32, np.uint8):
        for _ in range(3):
            shape = suite.shape(1, 4)
            condition = suite.integers(*stretch(suite, shape), low=0, high=1).astype(bool)
            branches = [suite.integers(*s, low=0).astype(dtype) for s in (shape, stretch(suite, shape))]
            suite.case("Where", [condition, *branches], opset=9)
    for dtype in (np.float32, np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8, np.uint64):
        x = suite.integers(3, 7, low=0, high=20).astype(dtype)
        limits = [np.array(5, dtype), np.array(12, dtype)]
        for low, high in ((0, 1), (0, None), (None, 1), (None, None)):
            suite.case("Clip", [x, None if low is None else limits[low], None if high is None else limits[high]],
                       opset=13, constant=suite.pick((), (1, 2)))
    suite.case("Clip", [suite.floats(3, 7)], opset=6, min=-0.5, max=0.75)
    suite.case("Clip", [SPECIAL, np.float32(-1), np.float32(1)], opset=13)


def casts(suite):
    types = [np.float32, np.float64, np.float16, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
             np.uint64, np.bool_]
    for source in types:
        for target in types:
            x = suite.floats(17, low=0, high=100)
            x[::5] = 0
            suite.case("Cast", [x.astype(source)], opset=13, to=int(helper.np_dtype_to_tensor_dtype(np.dtype(target))))
    for target in (np.int32, np.int64):
        suite.case("Cast", [suite.floats(17, low=-100, high=100)], opset=13,
                   to=int(helper.np_dtype_to_tensor_dtype(np.dtype(target))))
    suite.case("CastLike", [suite.floats(5), np.zeros(1, np.int32)], opset=15)


def generate(suite):
    unary(suite)
    arithmetic(suite)
    old_broadcast(suite)
    comparisons(suite)
    selection(suite)
    casts(suite)
