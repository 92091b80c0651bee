"""If, Loop, Scan, with bodies that use outer values."""
import numpy as np
from onnx import TensorProto, helper


def value(name, kind=TensorProto.FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def branch(suite, name, op, outer):
    node = helper.make_node(op, outer, [f"{name}_y"])
    return helper.make_graph([node], name, [], [value(f"{name}_y")])


def if_case(suite):
    x, y = suite.floats(3, 4), suite.floats(3, 4)
    node = helper.make_node("If", ["c"], ["z"], then_branch=branch(suite, "yes", suite.pick("Add", "Mul"), ["x", "y"]),
                            else_branch=branch(suite, "no", "Sub", ["x", "y"]))
    add = helper.make_node("Relu", ["z"], ["r"])
    suite.graph([node, add], {"c": np.array(bool(suite.integer(0, 1))), "x": x, "y": y}, ["r"], opset=suite.pick(11, 13, 16),
                constants=suite.pick((), ("c",)), label="If")


def loop_case(suite):
    """state = state * w + iteration, as long as the sum stays below a bound; every state is collected."""
    nodes = [helper.make_node("Mul", ["s", "w"], ["m"]),
             helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
             helper.make_node("Add", ["m", "f"], ["s_out"]),
             helper.make_node("ReduceSum", ["s_out"], ["total"], keepdims=0),
             helper.make_node("Less", ["total", "bound"], ["c_out"]),
             helper.make_node("Identity", ["s_out"], ["scan"])]
    body = helper.make_graph(nodes, "body", [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("s")],
                             [value("c_out", TensorProto.BOOL, []), value("s_out"), value("scan")])
    limit = suite.pick(None, suite.integer(0, 9))
    loop = helper.make_node("Loop", ["" if limit is None else "n", "go", "x"], ["last", "all"], body=body)
    values = {"x": suite.floats(2, 3), "w": suite.floats(1, 3), "go": np.array(True), "bound": np.array(20, np.float32)}
    if limit == 0:  # the empty collection's shape is not defined by the standard
        loop.output[1] = ""
    if limit is not None:
        values["n"] = np.array(limit, np.int64)
    elif np.abs(values["w"]).max() > 0:
        values["w"] = np.abs(values["w"]) + 0.5
    suite.graph([loop], values, [name for name in loop.output if name], opset=suite.pick(11, 13, 16), label="Loop")


def growing_loop(suite):
    """The carried value changes its shape in every iteration."""
    nodes = [helper.make_node("Concat", ["s", "x"], ["s_out"], axis=0), helper.make_node("Identity", ["c"], ["c_out"])]
    body = helper.make_graph(nodes, "body", [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []),
                                             value("s", shape=["k", 2])],
                             [value("c_out", TensorProto.BOOL, []), value("s_out", shape=["j", 2])])
    loop = helper.make_node("Loop", ["n", "", "x"], ["last"], body=body)
    suite.graph([loop], {"n": np.array(suite.integer(1, 5), np.int64), "x": suite.floats(1, 2)}, ["last"], label="Loop")


def scan_case(suite):
    """A running sum over slices, with each slice's square collected."""
    nodes = [helper.make_node("Add", ["s", "x_t"], ["s_out"]), helper.make_node("Mul", ["x_t", "x_t"], ["square"])]
    body = helper.make_graph(nodes, "body", [value("s"), value("x_t")], [value("s_out"), value("square")])
    axis = suite.integer(0, 2)
    shape = [3, 4, 2]
    rest = [size for i, size in enumerate(shape) if i != axis]
    scan = helper.make_node("Scan", ["s0", "x"], ["last", "squares"], body=body, num_scan_inputs=1, scan_input_axes=[axis],
                            scan_output_axes=[suite.integer(0, 2)], scan_input_directions=[suite.pick(0, 1)],
                            scan_output_directions=[suite.pick(0, 1)])
    suite.graph([scan], {"s0": suite.floats(*rest), "x": suite.floats(*shape)}, ["last", "squares"], opset=suite.pick(11, 16),
                label="Scan")


def generate(suite):
    for _ in range(12):
        if_case(suite)
    for _ in range(16):
        loop_case(suite)
    for _ in range(6):
        growing_loop(suite)
    for _ in range(12):
        scan_case(suite)
