"""Writes broken variants of the cases: attributes out of range, inputs of other shapes and types, absent inputs.

    make_broken.py CASES FOLDER [--count 2000] [--seed N]

There are no expected outputs: run_cases --survive only asks that each is run or refused with a message, within its time.
"""
import argparse
import pathlib
import shutil
import sys

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper

INTEGERS = (-1, 0, 1, 2, 3, 7, 100, -100, 2**31, 2**31 - 1, -2**31, 2**40, 2**62, 2**63 - 1, -2**63)
FLOATS = (0.0, -1.0, 1e-30, 1e30, -1e30, float("nan"), float("inf"), -float("inf"), 0.5, 3.0)
TYPES = (np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.int8, bool)


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


def break_attribute(rng, node):
    if not node.attribute:
        return
    attribute = pick(rng, node.attribute)
    if attribute.type == AttributeProto.INT:
        attribute.i = pick(rng, INTEGERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = pick(rng, FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = pick(rng, (b"", b"zz", b"NOTSET", b"linear", b"ij,jk->ik", b"bidirectional", b"..."))
    elif attribute.type == AttributeProto.INTS:
        values = list(attribute.ints)
        kind = rng.integers(3)
        if kind == 0 and values:
            values[rng.integers(len(values))] = pick(rng, INTEGERS)
        elif kind == 1:
            values = values[:-1]
        else:
            values.append(pick(rng, INTEGERS))
        del attribute.ints[:]
        attribute.ints.extend(values)
    elif attribute.type == AttributeProto.FLOATS and attribute.floats:
        attribute.floats[rng.integers(len(attribute.floats))] = pick(rng, FLOATS)
    else:
        node.attribute.remove(attribute)


def break_shape(rng, array):
    """Another shape with what elements there are, repeated."""
    shape = list(array.shape)
    kind = rng.integers(6)
    if kind == 0 and shape:
        shape[rng.integers(len(shape))] = int(pick(rng, (0, 1, 2, 5)))
    elif kind == 1 and shape:
        shape.pop(rng.integers(len(shape)))
    elif kind == 2:
        shape.insert(rng.integers(len(shape) + 1), int(pick(rng, (0, 1, 3))))
    elif kind == 3:
        rng.shuffle(shape)
    elif kind == 4:
        shape = []
    else:
        return array
    return np.resize(array, shape) if array.size and 0 not in shape else np.zeros(shape, array.dtype)


def break_array(rng, array):
    kind = rng.integers(4)
    if kind == 0:
        with np.errstate(all="ignore"):
            return array.astype(pick(rng, TYPES))
    if kind == 1 and array.size and array.dtype != bool:
        flat = array.copy().reshape(-1)
        with np.errstate(all="ignore"):
            value = pick(rng, FLOATS if array.dtype.kind == "f" else INTEGERS)
            flat[rng.integers(flat.size)] = np.array(value).astype(array.dtype)
        return flat.reshape(array.shape)
    return break_shape(rng, array)


def break_case(rng, model, inputs, breakable):
    for _ in range(rng.integers(1, 3)):
        kind = rng.integers(10)
        node = pick(rng, model.graph.node)
        if kind < 4:
            break_attribute(rng, node)
        elif kind < 8 and breakable:
            name = pick(rng, breakable)
            inputs[name] = break_array(rng, inputs[name])
        elif kind == 8 and node.input:
            node.input[rng.integers(len(node.input))] = pick(rng, ["", node.input[0]])
        elif model.opset_import:
            model.opset_import[0].version = int(rng.integers(7, 24))


def broken(rng, case):
    """The model and its inputs, initializers made inputs half of the time, so that shapes are found out late."""
    model = onnx.load(case / "model.onnx")
    inputs = {value.name: numpy_helper.to_array(onnx.load_tensor(case / "test_data_set_0" / f"input_{i}.pb"))
              for i, value in enumerate(model.graph.input)}
    arrays = dict(inputs)
    arrays.update({tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer})
    endless = {"n"} if case.name.endswith("_Loop") else set()  # a trip count of 2**62 is valid, and takes its time
    constant = {tensor.name for tensor in model.graph.initializer} if rng.integers(2) else set()
    break_case(rng, model, arrays, [name for name in arrays if name not in endless])
    del model.graph.initializer[:], model.graph.input[:]
    fed = {}
    for name, array in arrays.items():
        if name in constant:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
            model.graph.input.append(helper.make_tensor_value_info(name, kind, None))
            fed[name] = np.asarray(array)
    return model, fed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cases = sorted(path for path in arguments.cases.iterdir() if (path / "model.onnx").exists())
    if not cases:
        print(f"SKIP: no cases in {arguments.cases}")
        return 77
    shutil.rmtree(arguments.folder, ignore_errors=True)
    rng = np.random.default_rng(arguments.seed)
    for i in range(arguments.count):
        case = cases[i % len(cases)]
        model, fed = broken(rng, case)
        data = arguments.folder / f"broken_{i:05d}_{case.name}" / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(model, data.parent / "model.onnx")
        for k, (name, array) in enumerate(fed.items()):
            (data / f"input_{k}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())
    print(f"{arguments.count} broken cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
