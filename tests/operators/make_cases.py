"""Writes small random models with inputs and expected outputs, in the layout of the ONNX backend tests.

    make_cases.py FOLDER [--only FAMILY] [--seed N]

Every cases_FAMILY.py has `generate(suite)`, which calls suite.case(...) for each case. Expected outputs come from ONNX
Runtime, or from the case itself (NumPy) where ONNX Runtime lacks the operator.
"""
import argparse
import importlib
import pathlib
import shutil
import sys
import zlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent


class Suite:
    """Cases of one family. `rng` is the family's random generator."""

    def __init__(self, folder, family, seed):
        self.folder, self.family = folder, family
        self.rng = np.random.default_rng([seed, zlib.crc32(family.encode())])
        self.count, self.refused = 0, []

    # ---- random values ----
    def integer(self, low, high):
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def shape(self, low_rank, high_rank, high=5, low=1):
        return [self.integer(low, high) for _ in range(self.integer(low_rank, high_rank))]

    def floats(self, *shape, low=-2.0, high=2.0, dtype=np.float32):
        return self.rng.uniform(low, high, shape).astype(dtype)

    def integers(self, *shape, low=-10, high=10, dtype=np.int64):
        return self.rng.integers(low, high + 1, shape).astype(dtype)

    # ---- making cases ----
    def case(self, op, inputs, opset=17, outputs=1, constant=(), expected=None, domain="", **attributes):
        """One node. `inputs` are arrays, None where absent; `constant` are the indices of those that become initializers;
        `outputs` a count, or flags of which are present; attributes that are None are left out."""
        attributes = {name: value for name, value in attributes.items() if value is not None}
        inputs = [None if array is None else np.asarray(array) for array in inputs]
        flags = [True] * outputs if isinstance(outputs, int) else list(outputs)
        names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
        node = helper.make_node(op, names, [f"y{i}" if flag else "" for i, flag in enumerate(flags)], domain=domain,
                                **attributes)
        values = {name: array for name, array in zip(names, inputs) if name}
        constants = {f"x{i}" for i in constant}
        return self.graph([node], values, [f"y{i}" for i, flag in enumerate(flags) if flag], opset, constants, expected, op)

    def graph(self, nodes, values, outputs, opset=17, constants=(), expected=None, label=None):
        """Any graph over named arrays. Returns the expected outputs, or None where the model was refused."""
        symbolic = self.rng.integers(2) == 0
        model = self.model(nodes, values, outputs, opset, constants, symbolic)
        fed = {name: array for name, array in values.items() if name not in constants}
        try:
            if expected is None:
                expected = run_ort(model, fed)
        except Exception as error:  # whatever ONNX Runtime raises
            self.refused.append(f"{label or nodes[0].op_type} (opset {opset}): {str(error).splitlines()[0][:160]}")
            return None
        expected = [np.asarray(array) for array in expected]
        declare_outputs(model, outputs, expected)
        self.write(model, fed, expected, label or nodes[0].op_type)
        return expected

    def model(self, nodes, values, outputs, opset, constants, symbolic):
        def declare(name, array):
            dims = [f"{name}_{i}" for i in range(array.ndim)] if symbolic else array.shape
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims)

        graph = helper.make_graph(
            nodes, self.family, [declare(name, array) for name, array in values.items() if name not in constants],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in values.items() if name in constants])
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in {node.domain for node in nodes} - {""}]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def write(self, model, fed, expected, label):
        folder = self.folder / f"{self.family}_{self.count:04d}_{label}"
        data = folder / "test_data_set_0"
        data.mkdir(parents=True)
        self.count += 1
        onnx.save(model, folder / "model.onnx")
        for i, (name, array) in enumerate(fed.items()):
            (data / f"input_{i}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())
        for i, array in enumerate(expected):
            (data / f"output_{i}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())


def run_ort(model, fed):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, fed)


def declare_outputs(model, names, arrays):
    """Types only: shapes are for the reader to infer."""
    del model.graph.output[:]
    for name, array in zip(names, arrays):
        value = helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
        model.graph.output.append(value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    ort.set_default_logger_severity(4)
    sys.path.insert(0, str(HERE))
    total, refused = 0, []
    for path in sorted(HERE.glob("cases_*.py")):
        family = path.stem[len("cases_"):]
        if arguments.only and family != arguments.only:
            continue
        for old in arguments.folder.glob(f"{family}_[0-9]*"):
            shutil.rmtree(old)
        suite = Suite(arguments.folder, family, arguments.seed)
        importlib.import_module(path.stem).generate(suite)
        print(f"{family}: {suite.count} cases, {len(suite.refused)} refused by ONNX Runtime")
        total += suite.count
        refused += suite.refused
    for line in sorted(set(refused)):
        print("refused:", line)
    print(f"{total} cases")
    # A generator that makes mostly invalid models tests nothing.
    return 1 if len(refused) > total / 10 else 0


if __name__ == "__main__":
    sys.exit(main())
