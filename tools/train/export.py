#!/usr/bin/env python3
"""Turns trained weights into ONNX: export.py NAME WEIGHTS.npz -o MODEL.onnx

Needs NumPy and onnx. The layers are read from the weights of networks.py.

The input is the uint8 image; Cast and Div by 255 are part of the graph, as in exported classifiers.
"""

import argparse
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
# What stands between the layers that have weights, by the layer's place among its kind. 'P': 2 x 2 maximum pool.
POOLS = {"glyphs": {1: "P", 3: "P", 5: "PP"}, "tiny": {1: "P"}}


class Builder:
    def __init__(self):
        self.nodes, self.constants, self.value = [], [], "image"

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op, name, *constants, **attributes):
        output = name + "_out"
        self.nodes.append(helper.make_node(op, [self.value, *constants], [output], name=name, **attributes))
        self.value = output


def build(name, weights):
    b = Builder()
    b.add("Cast", "to_float", to=TensorProto.FLOAT)
    b.add("Div", "to_unit", b.constant("white", np.float32(255)))
    if name == "tiny":
        b.add("AveragePool", "shrink", kernel_shape=[4, 4], strides=[4, 4])
    places = sorted({int(re.match(r"\d+", key)[0]) for key in weights.files})
    convs = [i for i in places if weights[f"{i}.weight"].ndim == 4]
    denses = [i for i in places if weights[f"{i}.weight"].ndim == 2]
    for n, i in enumerate(convs):
        layer = f"conv{n + 1}"
        b.add("Conv", layer, b.constant(layer + ".weight", weights[f"{i}.weight"]), kernel_shape=[3, 3], pads=[1] * 4)
        statistics = [b.constant(f"bn{n + 1}.{part}", weights[f"{i + 1}.{part}"])
                      for part in ("weight", "bias", "running_mean", "running_var")]  # fmt: skip
        b.add("BatchNormalization", f"bn{n + 1}", *statistics, epsilon=1e-5)
        b.add("Relu", f"relu{n + 1}")
        for p, _ in enumerate(POOLS[name].get(n, "")):
            b.add("MaxPool", f"pool{n + 1}_{p + 1}", kernel_shape=[2, 2], strides=[2, 2])
    b.add("Flatten", "flatten", axis=1)
    for n, i in enumerate(denses):
        layer = f"fc{n + 1}"
        b.add("Gemm", layer, b.constant(layer + ".weight", weights[f"{i}.weight"]),
              b.constant(layer + ".bias", weights[f"{i}.bias"]), transB=1)  # fmt: skip
        if n + 1 < len(denses):
            b.add("Relu", f"relu_fc{n + 1}")
    b.nodes[-1].output[0] = "scores"
    graph = helper.make_graph(
        b.nodes, name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, 64, 64])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 16])], b.constants)  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="rango tools/train")
    model.ir_version = 9
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=POOLS)
    parser.add_argument("weights")
    parser.add_argument("-o", dest="output", required=True)
    arguments = parser.parse_args()
    model = build(arguments.name, np.load(arguments.weights))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, arguments.output)


if __name__ == "__main__":
    main()
