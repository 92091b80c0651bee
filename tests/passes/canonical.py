#!/usr/bin/env python3
"""Rewrites models with canonical_model and holds them against the originals: ONNX's checker, the names of inputs and
outputs, and what ONNX Runtime computes. Usage: canonical.py CANONICAL_MODEL. Needs the packages onnx and onnxruntime."""
import glob
import os
import shlex
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(f"SKIP: the Python package {error.name} is missing")
    sys.exit(77)

SOURCE = os.environ.get("RANGO_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
SHARED = os.path.join(SOURCE, "../shared")
EMULATOR = shlex.split(os.environ.get("RANGO_EMULATOR", ""))
TOLERANCE = 1e-5  # relative to the largest: BatchNormalization's factor is rounded once more in the weights
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
failures, checked = [], 0


def session(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def random_feed(inputs, seed):
    """Symbolic sizes are 3; integers are small, so that they serve as indices."""
    rng = np.random.default_rng(seed)
    feed = {}
    for value in inputs:
        shape = [d if isinstance(d, int) else 3 for d in value.shape]
        if value.type == "tensor(float)":
            feed[value.name] = rng.standard_normal(shape).astype(np.float32)
        else:
            kind = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8}[value.type]
            feed[value.name] = rng.integers(0, 2, shape).astype(kind)
    return feed


def stored_feeds(folder, inputs):
    for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        feed = {}
        for i, value in enumerate(inputs):
            tensor = TensorProto()
            with open(os.path.join(data, f"input_{i}.pb"), "rb") as file:
                tensor.ParseFromString(file.read())
            feed[value.name] = numpy_helper.to_array(tensor)
        yield feed


def same(before, after):
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{before.dtype}{before.shape} became {after.dtype}{after.shape}"
    if before.dtype.kind != "f" or not before.size:
        return "" if np.array_equal(before, after) else "elements differ"
    error = np.abs(before - after).max() / max(np.abs(before).max(), 1e-30)
    return "" if error <= TOLERANCE else f"relative error {error:.2g}"


def check(name, path, folder, most_nodes=None):
    """`most_nodes`: how many may be left."""
    global checked
    checked += 1
    out = os.path.join(folder, "canonical.onnx")
    done = subprocess.run(EMULATOR + [sys.argv[1], path, out], capture_output=True, text=True)
    if done.returncode:
        failures.append(f"{name}: {done.stderr.strip()}")
        return
    onnx.checker.check_model(out)
    before, after = session(path), session(out)
    inputs, outputs = before.get_inputs(), [o.name for o in before.get_outputs()]
    if [i.name for i in inputs] != [i.name for i in after.get_inputs()] or \
            outputs != [o.name for o in after.get_outputs()]:
        failures.append(f"{name}: inputs or outputs have other names")
        return
    feeds = list(stored_feeds(os.path.dirname(path), inputs)) or [random_feed(inputs, seed) for seed in (1, 2)]
    for feed in feeds:
        for output, a, b in zip(outputs, before.run(None, feed), after.run(None, feed)):
            if same(a, b):
                failures.append(f"{name}: output {output}: {same(a, b)}")
    nodes = int(done.stdout.split()[1])
    if most_nodes is not None and nodes > most_nodes:
        failures.append(f"{name}: {nodes} nodes are left, expected at most {most_nodes}")


# ---- small models ----

def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model_of(nodes, inputs, outputs, constants=(), functions=(), ir=8, opset=17, listed=()):
    graph = helper.make_graph(nodes, "g", list(inputs) + [
        helper.make_tensor_value_info(c.name, c.data_type, list(c.dims)) for c in listed], outputs,
        list(constants) + list(listed))
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid("local", 1)] * bool(functions)
    return helper.make_model(graph, ir_version=ir, opset_imports=imports, functions=list(functions))


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def flatten_like_torch():
    """x.view(x.size(0), -1) as exporters write it."""
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["b"]),
             helper.make_node("Unsqueeze", ["b", "axes"], ["b1"]),
             helper.make_node("Concat", ["b1", "rest"], ["target"], axis=0),
             helper.make_node("Reshape", ["x", "target"], ["y"])]
    constants = [tensor("zero", np.int64(0)), tensor("axes", np.array([0])), tensor("rest", np.array([-1]))]
    return model_of(nodes, [info("x", ["batch", 2, 3])], [info("y", ["batch", 6])], constants), 1


def old_batch_norm():
    """IR version 3: initializers are inputs; opset 7."""
    rng = np.random.default_rng(3)
    listed = [tensor("w", rng.standard_normal((4, 2, 3, 3)).astype("f"))] + \
        [tensor(n, rng.random(4).astype("f") + 0.5) for n in ("scale", "offset", "mean", "variance")]
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
             helper.make_node("BatchNormalization", ["c", "scale", "offset", "mean", "variance"], ["y"])]
    return model_of(nodes, [info("x", [1, 2, 5, 5])], [info("y", [1, 4, 5, 5])], ir=3, opset=7, listed=listed), 1


def calls():
    """A function that calls another, with an attribute handed through."""
    inner = helper.make_node("LeakyRelu", ["a"], ["b"])
    reference = onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    inner.attribute.append(reference)
    handed = helper.make_node("leaky", ["a"], ["b"], domain="local")
    handed.attribute.append(onnx.AttributeProto(name="slope", type=onnx.AttributeProto.FLOAT, ref_attr_name="alpha"))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    functions = [helper.make_function("local", "leaky", ["a"], ["b"], [inner], imports, ["slope"]),
                 helper.make_function("local", "twice", ["a"], ["c"],
                                      [handed, helper.make_node("Add", ["b", "b"], ["c"])], imports, ["alpha"])]
    nodes = [helper.make_node("twice", ["x"], ["t"], domain="local", alpha=0.25),
             helper.make_node("twice", ["t"], ["y"], domain="local", alpha=0.5)]
    return model_of(nodes, [info("x", ["n"])], [info("y", ["n"])], functions=functions), 4


def branch_on_shape():
    """Which branch is taken follows from the static rank."""
    then = helper.make_graph([helper.make_node("Squeeze", ["x", "one"], ["a"])], "t", [], [info("a", ["p", "q"])])
    otherwise = helper.make_graph([helper.make_node("Identity", ["x"], ["b"])], "e", [], [info("b", ["p", "q", "r"])])
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "one"], ["d"]),
             helper.make_node("Equal", ["d", "one"], ["is_one"]), helper.make_node("Squeeze", ["is_one"], ["c"]),
             helper.make_node("If", ["c"], ["i"], then_branch=then, else_branch=otherwise),
             helper.make_node("Relu", ["i"], ["y"])]
    return model_of(nodes, [info("x", [2, 1, 3])], [info("y", [2, 3])], [tensor("one", np.array([1]))]), 2


def loop_over_shapes():
    """A value whose size grows in the body: what holds in the first round must not be folded for all."""
    body = helper.make_graph(
        [helper.make_node("Concat", ["carried", "x"], ["longer"], axis=0), helper.make_node("Shape", ["carried"], ["s"]),
         helper.make_node("Slice", ["carried", "zero", "two"], ["cut"]),  # does nothing in the first round
         helper.make_node("Identity", ["go"], ["going"])],
        "body", [info("i", [], INT64), info("go", [], TensorProto.BOOL), info("carried", ["k"])],
        [info("going", [], TensorProto.BOOL), info("longer", ["k2"]), info("s", [1], INT64), info("cut", [2])])
    nodes = [helper.make_node("Loop", ["three", "", "x"], ["last", "sizes", "cuts"], body=body)]
    return model_of(nodes, [info("x", [2])], [info("last", ["n"]), info("sizes", [3, 1], INT64), info("cuts", [3, 2])],
                    [tensor("three", np.int64(3)), tensor("zero", np.array([0])), tensor("two", np.array([2]))]), None


def check_built(folder):
    for make in (flatten_like_torch, old_batch_norm, calls, branch_on_shape, loop_over_shapes):
        model, most_nodes = make()
        path = os.path.join(folder, make.__name__ + ".onnx")
        onnx.save(model, path)
        check(make.__name__, path, folder, most_nodes)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_built(folder)
        for path in sorted(glob.glob(os.path.join(SOURCE, "models/*.onnx"))):
            check(os.path.basename(path), path, folder)
        fewest = {"gtcrn": 500, "silero-vad": 150, "ultraface-rfb-320": 130}  # of 1786, 689, 242
        shared = sorted(glob.glob(os.path.join(SHARED, "models/*/model.onnx")) +
                        glob.glob(os.path.join(SHARED, "zoo/*/model.onnx")))
        for path in shared:
            name = os.path.basename(os.path.dirname(path))
            check(name, path, folder, fewest.get(name))
        if not shared:
            print("note: the networks of ../shared are not here")
    for failure in failures:
        print("FAILED", failure)
    print(f"{checked} models rewritten, {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
