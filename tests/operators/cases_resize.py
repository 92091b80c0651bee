"""Resize, Upsample."""
import numpy as np

NONE = np.zeros(0, np.float32)


def resize(suite, spatial=2):
    opset = suite.pick(11, 13, 18, 19)
    mode = suite.pick("nearest", "linear", "linear", "cubic" if spatial == 2 else "nearest")
    coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    if opset >= 19:
        coordinates.append("half_pixel_symmetric")
    if opset < 13 and mode == "nearest":
        coordinates.append("tf_half_pixel_for_nn")
    attributes = {"mode": mode, "coordinate_transformation_mode": suite.pick(*coordinates)}
    if mode == "nearest":
        attributes["nearest_mode"] = suite.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = suite.pick(None, -0.5)
        attributes["exclude_outside"] = suite.pick(0, 1)
    if opset >= 18 and mode != "nearest" and spatial == 2 and suite.pick(True, False, False):
        attributes["antialias"] = 1
        attributes["exclude_outside"] = 0 if mode == "linear" else attributes.get("exclude_outside")
    sizes = [suite.integer(2, 8) for _ in range(spatial)]
    x = suite.floats(suite.integer(1, 2), suite.pick(1, 3, 8), *sizes)
    if suite.pick(True, False):
        scales = np.array([1, 1] + [suite.pick(0.5, 0.6, 1.0, 1.5, 2.0, 2.4, 3.0) for _ in range(spatial)], np.float32)
        inputs, last = [x, NONE, scales], 2
    else:
        wanted = np.array(list(x.shape[:2]) + [suite.integer(1, 13) for _ in range(spatial)], np.int64)
        inputs, last = [x, NONE, NONE, wanted], 3
    suite.case("Resize", inputs, opset=opset, constant=range(1, last + 1), **attributes)


def crop(suite):
    x = suite.floats(1, 2, suite.integer(3, 7), suite.integer(3, 7))
    roi = np.array([0, 0, suite.pick(0.1, 0.25, -0.2), suite.pick(0.0, 0.3), 1, 1, suite.pick(0.8, 1.3), 0.75], np.float32)
    # Never the input's own size: ONNX Runtime doesn't crop an axis whose size stays.
    wanted = np.array([1, 2] + [suite.pick(*({2, 3, 4, 5, 8, 9} - {size})) for size in x.shape[2:]], np.int64)
    suite.case("Resize", [x, roi, NONE, wanted], opset=suite.pick(11, 13), constant=(1, 2, 3), mode="linear",
               coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=suite.pick(None, 7.5))


def with_axes(suite):
    x = suite.floats(1, 3, suite.integer(3, 7), suite.integer(3, 7))
    wanted = np.array([suite.integer(2, 12), suite.integer(2, 12)], np.int64)
    suite.case("Resize", [x, None, None, wanted], opset=18, constant=(3,), mode=suite.pick("nearest", "linear"), axes=[2, 3],
               keep_aspect_ratio_policy=suite.pick(None, "not_larger", "not_smaller"))


def generate(suite):
    for i in range(70):
        resize(suite, 2 if i % 4 else suite.pick(1, 3))
    for _ in range(10):
        crop(suite)
    for _ in range(10):
        with_axes(suite)
    for _ in range(8):
        scales = np.array([1, 1, suite.pick(1.0, 2.0, 3.0), suite.pick(1.5, 2.0)], np.float32)
        op, opset = suite.pick(("Upsample", 9), ("Resize", 10))
        suite.case(op, [suite.floats(1, 2, 4, 5), scales], constant=(1,), opset=opset, mode=suite.pick("nearest", "linear"))
    for dtype in (np.uint8, np.int8, np.int32):
        suite.case("Resize", [suite.integers(1, 2, 4, 5, low=0, high=100, dtype=dtype), NONE,
                              np.array([1, 1, 2, 1.5], np.float32)], opset=13, constant=(1, 2), mode="nearest")
