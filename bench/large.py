#!/usr/bin/env python3
"""Time and memory of `rango compress` on a network of ImageNet's VGG-16's shape (138 million parameters, a file of 553 MB).

    bench/large.py [--rango build/release/rango] [--rows 64] [--folder DIR] [-- OPTIONS OF COMPRESS]

The weights are seeded random numbers with a spectrum that decays as trained networks' does (a product of two thin matrices and
noise), scaled so that activations keep their size (He et al. 2015); the images are seeded smooth noise. What accuracy it has means
nothing: without other options half of the parameters are removed (--cut-params 50). Prints wall time and the largest size of the
process beside the file's. Needs the Python packages numpy and onnx.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[1]
LAYERS = [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool"]  # Simonyan, Zisserman 2014
SIDE = 224


def weight(random, outputs, inputs):
    """[outputs, inputs] of variance 2 / inputs; three quarters of it in an eighth of the directions."""
    rank = max(2, min(outputs, inputs) // 8)
    left = random.standard_normal((outputs, rank), dtype=np.float32)
    right = random.standard_normal((rank, inputs), dtype=np.float32)
    noise = random.standard_normal((outputs, inputs), dtype=np.float32)
    noise *= 0.5
    noise += left @ right * np.float32((0.75 / rank) ** 0.5)
    noise *= np.float32((2 / inputs) ** 0.5)
    return noise


def save_model(path, seed):
    random = np.random.default_rng(seed)
    nodes, constants, value, channels, side = [], [], "image", 3, SIDE

    def add(op, name, outputs, matrix, shape, **attributes):
        constants.append(helper.make_tensor(f"{name}.weight", TensorProto.FLOAT, shape, matrix.tobytes(), raw=True))
        constants.append(helper.make_tensor(f"{name}.bias", TensorProto.FLOAT, [outputs], np.zeros(outputs, np.float32).tobytes(), raw=True))
        nodes.append(helper.make_node(op, [value, f"{name}.weight", f"{name}.bias"], [name], name=name, **attributes))
        return name

    for i, layer in enumerate(LAYERS):
        if layer == "pool":
            nodes.append(helper.make_node("MaxPool", [value], [f"pool{i}"], kernel_shape=[2, 2], strides=[2, 2]))
            value, side = f"pool{i}", side // 2
            continue
        value = add("Conv", f"conv{i}", layer, weight(random, layer, channels * 9), [layer, channels, 3, 3], kernel_shape=[3, 3],
                    pads=[1, 1, 1, 1])
        nodes.append(helper.make_node("Relu", [value], [f"relu{i}"]))
        value, channels = f"relu{i}", layer
    nodes.append(helper.make_node("Flatten", [value], ["flat"]))
    value, inputs = "flat", channels * side * side
    for i, outputs in enumerate((4096, 4096, 1000)):
        value = add("Gemm", f"fc{i}", outputs, weight(random, outputs, inputs), [outputs, inputs], transB=1)
        inputs = outputs
        if i < 2:
            nodes.append(helper.make_node("Relu", [value], [f"fc{i}.relu"]))
            value = f"fc{i}.relu"
    graph = helper.make_graph(nodes, "vgg16", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
                              [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["n", 1000])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def save_images(path, rows, seed):
    """Each a sum of eight waves and some noise, of mean 0 and variance about 1."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    images = np.empty((rows, 3, SIDE, SIDE), np.float32)
    for image in images:
        for plane in image:
            waves = random.normal(0, 12, (8, 2)), random.uniform(0, 2 * np.pi, 8)
            plane[:] = sum(np.sin(a * x + b * y + phase) for (a, b), phase in zip(*waves)) / 2
        image += random.normal(0, 0.2, image.shape)
    np.save(path, images)


def measure(rango, folder, rows, options):
    model, calib = os.path.join(folder, "vgg16.onnx"), os.path.join(folder, f"calib{rows}.npy")
    if not os.path.exists(model):
        save_model(model, 1)
    if not os.path.exists(calib):
        save_images(calib, rows, 2)
    start = time.monotonic()
    done = subprocess.run([rango, "compress", model, "-o", os.path.join(folder, "small.onnx"), "--calib", calib, *options])
    seconds, peak = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    size = os.path.getsize(model)
    print(f"exit code {done.returncode}, {seconds:.0f} s, largest size {peak / 1e6:.0f} MB: {peak / size:.2f} times the file's {size / 1e6:.0f} MB")
    return done.returncode


def main():
    parser = argparse.ArgumentParser(prog="bench/large.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rango", default=str(ROOT / "build/release/rango"))
    parser.add_argument("--rows", type=int, default=64, help="calibration images (64)")
    parser.add_argument("--folder", help="where the model and the images are kept and found again (a temporary one)")
    parser.add_argument("options", nargs="*", help="of compress, behind --")
    found = parser.parse_args()
    options = found.options or ["--cut-params", "50"]
    if found.folder:
        os.makedirs(found.folder, exist_ok=True)
        return measure(found.rango, found.folder, found.rows, options)
    with tempfile.TemporaryDirectory() as folder:
        return measure(found.rango, folder, found.rows, options)


sys.exit(main())
