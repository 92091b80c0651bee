"""A network's inputs: its test data where it has some, random numbers with a fixed seed otherwise."""
import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Unsuitable(Exception):
    """The network can't be run at this batch size."""


def graph_inputs(model):
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def declared(value):
    """[dims] as declared: a number, or None where it is free."""
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
            for dim in value.type.tensor_type.shape.dim]


def batch_is_free(model):
    """Whether the first size of every input (but scalars) is free: one and the same symbol, as far as it has a name."""
    inputs = [value for value in graph_inputs(model) if value.type.tensor_type.shape.dim]
    first = [value.type.tensor_type.shape.dim[0] for value in inputs]
    return all(declared(value)[0] is None for value in inputs) and len({dim.dim_param for dim in first}) == 1


def vocabulary(model, name):
    """One more than the largest index that input `name` may hold: the rows of the table that it is looked up in."""
    tables = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) == 2}
    names, rows = {name}, []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in names:
            names.add(node.output[0])
        if node.op_type == "Gather" and node.input[1] in names and node.input[0] in tables:
            rows.append(tables[node.input[0]])
    return min(rows, default=2)


def random_input(model, value, batch, rng):
    dims = declared(value)
    if dims and dims[0] is None:
        dims[0] = batch
    if None in dims:
        raise Unsuitable(f"input {value.name} has free sizes and there is no test data beside the network")
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(dims).astype(dtype)
    high = 256 if dtype == np.uint8 else vocabulary(model, value.name)
    return rng.integers(0, high, dims).astype(dtype)


def test_data(path, count):
    folder = pathlib.Path(path).parent / "test_data_set_0"
    files = [folder / f"input_{i}.pb" for i in range(count)]
    if not all(file.exists() for file in files):
        return None
    return [numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files]


def with_batch(array, batch):
    """The first rows, or all of them again and again."""
    if array.ndim == 0:
        return array
    return np.ascontiguousarray(np.resize(array, (batch,) + array.shape[1:]))


def make_inputs(path, batch):
    """Arrays by input name, in the network's order. Raises Unsuitable."""
    model = onnx.load(str(path), load_external_data=False)
    inputs = graph_inputs(model)
    free = batch_is_free(model)
    if batch != 1 and not free:
        raise Unsuitable("the batch is fixed")
    data = test_data(path, len(inputs))
    if data is None:
        rng = np.random.default_rng(1)
        data = [random_input(model, value, batch, rng) for value in inputs]
    elif free:
        data = [with_batch(array, batch) for array in data]
    return {value.name: np.ascontiguousarray(array) if array.ndim else array for value, array in zip(inputs, data)}


def symbol_sizes(path, inputs):
    """What the symbols of the inputs stand for, the batch's left out."""
    model = onnx.load(str(path), load_external_data=False)
    sizes = {}
    for value in graph_inputs(model):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param and axis > 0:
                sizes[dim.dim_param] = int(inputs[value.name].shape[axis])
    return sizes


def save_door(path):
    """The smallest network: Relu of one number. What it takes is what an engine's door takes."""
    one = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "door", one[:1], one[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
