"""Conv, ConvTranspose."""
import numpy as np


def geometry(suite, spatial, size_high):
    kernel = [suite.integer(1, 4) for _ in range(spatial)]
    dilations = [suite.pick(1, 1, 1, 2, 3) for _ in range(spatial)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    sizes = [suite.integer(r, r + size_high) for r in reach]
    strides = [suite.pick(1, 1, 2, 3) for _ in range(spatial)]
    pads = [suite.integer(0, 2) for _ in range(2 * spatial)]
    return kernel, dilations, sizes, strides, pads


def padding(suite, attributes, pads):
    """Explicit pads, or one of the automatic modes (which ONNX Runtime wants without dilation)."""
    mode = suite.pick("NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    if mode == "NOTSET":
        attributes["pads"] = pads
    else:
        attributes["auto_pad"] = mode
        attributes["dilations"] = [1] * len(attributes["dilations"])


def conv(suite, spatial, group, depthwise=False, dtype=np.float32):
    kernel, dilations, sizes, strides, pads = geometry(suite, spatial, 9 if spatial < 3 else 4)
    in_group = 1 if depthwise else suite.integer(1, 6)
    out_group = suite.pick(1, 2) if depthwise else suite.integer(1, 9)
    x = suite.floats(suite.integer(1, 3), group * in_group, *sizes).astype(dtype)
    w = suite.floats(group * out_group, in_group, *kernel).astype(dtype)
    bias = suite.floats(group * out_group).astype(dtype) if suite.pick(True, False) else None
    attributes = {"group": group, "strides": strides, "dilations": dilations}
    padding(suite, attributes, pads)
    if suite.pick(True, False):
        attributes["kernel_shape"] = kernel
    inputs = [x, w] if bias is None else [x, w, bias]
    constant = suite.pick((), range(1, len(inputs)), range(1, len(inputs)))
    suite.case("Conv", inputs, opset=suite.pick(7, 11, 13, 17, 22), constant=constant, **attributes)


def conv_transpose(suite, spatial, group):
    kernel, dilations, sizes, strides, pads = geometry(suite, spatial, 5 if spatial < 3 else 3)
    in_group, out_group = suite.integer(1, 4), suite.integer(1, 4)
    x = suite.floats(suite.integer(1, 2), group * in_group, *sizes)
    w = suite.floats(group * in_group, out_group, *kernel)
    inputs = [x, w] + ([suite.floats(group * out_group)] if suite.pick(True, False) else [])
    attributes = {"group": group, "strides": strides, "dilations": dilations, "kernel_shape": kernel}
    if suite.pick(True, False):
        attributes["output_padding"] = [suite.integer(0, s - 1) for s in strides]
    kind = suite.pick("pads", "pads", "none", "auto", "shape")
    if kind == "pads":
        attributes["pads"] = [min(p, k - 1) for p, k in zip(pads, kernel + kernel)]
    elif kind == "auto":
        attributes["auto_pad"] = suite.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    elif kind == "shape":
        attributes["output_shape"] = [s * t for s, t in zip(sizes, strides)]
    suite.case("ConvTranspose", inputs, opset=suite.pick(11, 17, 22), constant=suite.pick((), (1,)), **attributes)


def generate(suite):
    for _ in range(60):
        conv(suite, 2, suite.pick(1, 1, 1, 2, 3))
    for _ in range(20):
        conv(suite, 2, suite.integer(2, 40), depthwise=True)
    for _ in range(20):
        conv(suite, 1, suite.pick(1, 2, 5))
    for _ in range(12):
        conv(suite, 3, suite.pick(1, 1, 2))
    for _ in range(6):
        conv(suite, suite.integer(1, 2), 1, dtype=np.float16)
    for _ in range(20):
        conv_transpose(suite, 2, suite.pick(1, 1, 2, 3))
    for _ in range(8):
        conv_transpose(suite, 1, suite.pick(1, 2))
    for _ in range(6):
        conv_transpose(suite, 3, 1)
    # Larger ones, for the kernels' full tiles and edges.
    for channels_in, channels_out, size, kernel in ((32, 48, 14, 3), (3, 64, 20, 5), (65, 33, 9, 1), (16, 128, 7, 3)):
        suite.case("Conv", [suite.floats(2, channels_in, size, size), suite.floats(channels_out, channels_in, kernel, kernel),
                            suite.floats(channels_out)], constant=(1, 2), pads=[kernel // 2] * 4)
