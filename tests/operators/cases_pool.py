"""Pools over windows and over everything."""
import numpy as np


def pool(suite, op, spatial):
    opset = suite.pick(11, 12, 17, 19, 22)
    kernel = [suite.integer(1, 4) for _ in range(spatial)]
    dilated = op == "MaxPool" or (opset >= 19 and op == "AveragePool") or (opset >= 18 and op == "LpPool")
    dilations = [suite.pick(1, 1, 2) if dilated else 1 for _ in range(spatial)]
    sizes = [suite.integer((k - 1) * d + 1, (k - 1) * d + 9) for k, d in zip(kernel, dilations)]
    attributes = {"kernel_shape": kernel, "strides": [suite.integer(1, 3) for _ in range(spatial)]}
    if max(dilations) > 1:
        attributes["dilations"] = dilations
    mode = suite.pick("NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    if mode == "NOTSET" or max(dilations) > 1:
        attributes["pads"] = [suite.integer(0, k - 1) for k in kernel + kernel]
    else:
        attributes["auto_pad"] = mode
    if op in ("MaxPool", "AveragePool") and "pads" in attributes:
        attributes["ceil_mode"] = suite.pick(0, 0, 1)
    if op == "AveragePool":
        attributes["count_include_pad"] = suite.pick(0, 1)
    if op == "LpPool":
        attributes["p"] = suite.pick(1, 2, 3)
    outputs = 1
    if op == "MaxPool" and suite.pick(True, False, False):
        outputs = 2
        attributes["storage_order"] = 0
    x = suite.floats(suite.integer(1, 2), suite.pick(1, 3, 8, 19), *sizes)
    suite.case(op, [x], opset=opset, outputs=outputs, **attributes)


def generate(suite):
    for op, count in (("MaxPool", 40), ("AveragePool", 40), ("LpPool", 10)):
        for i in range(count):
            pool(suite, op, 2 if i % 3 else suite.pick(1, 3))
    for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        for _ in range(6):
            x = suite.floats(suite.integer(1, 3), suite.integer(1, 20), *suite.shape(1, 3, 7))
            suite.case(op, [x], opset=suite.pick(7, 13, 17), p=suite.integer(1, 3) if op == "GlobalLpPool" else None)
    for dtype in (np.int8, np.uint8):
        x = suite.integers(1, 2, 7, 6, low=0, high=100, dtype=dtype)
        suite.case("MaxPool", [x], opset=12, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
