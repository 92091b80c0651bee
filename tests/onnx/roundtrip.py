#!/usr/bin/env python3
"""Reads and writes models through copy_model and holds the result against the original: ONNX's checker, every field, and
ONNX Runtime's outputs bit by bit. Usage: roundtrip.py COPY_MODEL. Needs the Python packages onnx and onnxruntime."""
import glob
import os
import shlex
import subprocess
import sys
import tarfile
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
FLOAT = TensorProto.FLOAT
failures, checked = [], 0


# ---- comparing ----

def tensor_bits(tensor, folder):
    if tensor.data_type == TensorProto.STRING:
        return list(tensor.string_data)
    copy = TensorProto()
    copy.CopyFrom(tensor)
    if copy.data_location == TensorProto.EXTERNAL:
        onnx.external_data_helper.load_external_data_for_tensor(copy, folder)
    if copy.HasField("raw_data"):
        return copy.raw_data
    return typed_bits(copy)


def typed_bits(tensor):
    """Little-endian elements from the typed fields, by the rules in onnx.proto."""
    wide = {TensorProto.FLOAT: "<f4", TensorProto.COMPLEX64: "<f4", TensorProto.DOUBLE: "<f8",
            TensorProto.COMPLEX128: "<f8", TensorProto.INT64: "<i8", TensorProto.UINT64: "<u8",
            TensorProto.UINT32: "<u4", TensorProto.INT32: "<i4"}
    half = (TensorProto.INT16, TensorProto.UINT16, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    kind = tensor.data_type
    data = {TensorProto.FLOAT: tensor.float_data, TensorProto.COMPLEX64: tensor.float_data,
            TensorProto.DOUBLE: tensor.double_data, TensorProto.COMPLEX128: tensor.double_data,
            TensorProto.INT64: tensor.int64_data, TensorProto.UINT64: tensor.uint64_data,
            TensorProto.UINT32: tensor.uint64_data}.get(kind, tensor.int32_data)
    if kind in wide:
        return np.array(data, dtype=wide[kind]).tobytes()
    if kind in half:
        return np.array([v & 0xFFFF for v in data], dtype="<u2").tobytes()
    return bytes(v & 0xFF for v in data)


DATA = {"raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data",
        "external_data", "data_location"}


def used_names(graph):
    names = {o.name for o in graph.output} | {i.name for i in graph.input}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in [attribute.g] + list(attribute.graphs):
                names |= used_names(inner)
    return names


def plain(message, folder):
    """The message as nested tuples in which what a rewrite may change is gone."""
    from google.protobuf.unknown_fields import UnknownFieldSet
    result = {"unknown": [(f.field_number, f.wire_type, f.data) for f in UnknownFieldSet(message)]}
    for field, value in message.ListFields():
        if isinstance(message, TensorProto) and field.name in DATA:
            continue
        if isinstance(message, onnx.AttributeProto) and field.name == "type":
            continue
        if field.message_type is None:
            result[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            result[field.name] = [plain(item, folder) for item in value]
        else:
            result[field.name] = plain(value, folder)
    if isinstance(message, TensorProto):
        result["elements"] = tensor_bits(message, folder)
    if isinstance(message, onnx.ValueInfoProto) and not message.type.ListFields():
        result.pop("type", None)
    if isinstance(message, onnx.NodeProto) and message.domain in ("", "ai.onnx"):
        result.pop("domain", None)
    if isinstance(message, onnx.OperatorSetIdProto):
        result["domain"] = "" if message.domain == "ai.onnx" else message.domain
    if isinstance(message, onnx.GraphProto):
        used = used_names(message)
        named = lambda items: sorted((i for i in items if i["name"] in used), key=lambda i: i["name"])
        made = {o for n in message.node for o in n.output} | {i.name for i in message.initializer}
        result["initializer"] = named(result.get("initializer", []))
        listed = {i.name for i in message.input} | {o.name for o in message.output}
        infos = {i["name"]: i for i in result.get("value_info", [])}
        result["value_info"] = sorted((i for n, i in infos.items() if n in made - listed and
                                       (n in used or n not in {t.name for t in message.initializer})),
                                      key=lambda i: i["name"])
    if isinstance(message, onnx.ModelProto):
        names = {t.name for t in message.graph.initializer} - {i.name for i in message.graph.input}
        if message.ir_version < 4 and names & used_names(message.graph):
            result["ir_version"] = 4
    return result


def first_difference(a, b, path=""):
    if type(a) is not type(b):
        return f"{path}: {str(a)[:100]} became {str(b)[:100]}"
    if isinstance(a, dict):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), f"{path}.{key}")
    if isinstance(a, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{path}[{i}]")
    return f"{path}: {str(a)[:200]} became {str(b)[:200]}"


# ---- running ----

def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def random_inputs(network, seed=1):
    random = np.random.default_rng(seed)
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
    values = {}
    for item in network.get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 2 for d in item.shape]
        if item.type in kinds:
            values[item.name] = random.standard_normal(shape).astype(kinds[item.type])
        elif item.type == "tensor(bool)":
            values[item.name] = random.integers(0, 2, shape).astype(bool)
        elif item.type.startswith(("tensor(int", "tensor(uint")) and item.type[-3:-1] not in ("t4", "t2"):
            values[item.name] = random.integers(0, 4, shape).astype(item.type[7:-1])
        else:
            return None
    return values


def stored_inputs(path, network):
    values = {}
    for i, item in enumerate(network.get_inputs()):
        file = os.path.join(os.path.dirname(path), "test_data_set_0", f"input_{i}.pb")
        if not os.path.exists(file):
            return None
        tensor = TensorProto()
        tensor.ParseFromString(open(file, "rb").read())
        values[item.name] = numpy_helper.to_array(tensor)
    return values


def bits(value):
    if isinstance(value, list):
        return [bits(v) for v in value]
    value = np.asarray(value)
    return (value.dtype, value.shape, value.tolist() if value.dtype == object else value.tobytes())


def run_both(path, copy):
    try:
        original = session(path)
    except Exception:
        return None  # not every model here is one that ONNX Runtime can run
    inputs = stored_inputs(path, original) or random_inputs(original)
    if inputs is None:
        return None
    try:
        expected = original.run(None, inputs)
    except Exception:
        return None
    found = session(copy).run(None, inputs)
    return [bits(v) for v in expected] == [bits(v) for v in found]


# ---- one model ----

def check(name, path, must_run=False, limit=None, compare=True):
    global checked
    checked += 1
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy.onnx")
        command = EMULATOR + [sys.argv[1], path, copy] + ([str(limit)] if limit is not None else [])
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            return failures.append(f"{name}: {result.stderr.strip()[-500:]}")
        if limit is not None and not os.path.exists(copy + ".data"):
            return failures.append(f"{name}: no external data was written")
        try:
            onnx.checker.check_model(path)
            valid = True
        except Exception:
            valid = False
        if valid:
            try:
                onnx.checker.check_model(copy)
            except Exception as error:
                return failures.append(f"{name}: the checker says: {str(error)[:300]}")
        before = onnx.load(path, load_external_data=False)
        after = onnx.load(copy, load_external_data=False)
        a, b = plain(before, os.path.dirname(path)), plain(after, folder)
        if compare and a != b:
            return failures.append(f"{name}: {first_difference(a, b)}")
        same = run_both(path, copy)
        if same is False:
            failures.append(f"{name}: ONNX Runtime's outputs differ")
        if same is None and must_run:
            failures.append(f"{name}: ONNX Runtime should run this model")


def check_made(name, model, must_run=False, limit=None, compare=True):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        data = model if isinstance(model, bytes) else model.SerializeToString()
        open(path, "wb").write(data)
        check(name, path, must_run, limit, compare)


# ---- models made here ----

def value(name, shape=("n", 3), kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(nodes, inputs, outputs, initializers=(), opset=18, ir=9, **more):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    imports = [helper.make_opsetid("", opset)] + more.pop("imports", [])
    return helper.make_model(graph, opset_imports=imports, ir_version=ir, **more)


def typed_tensor(name, kind, raw):
    """Seven elements, odd so that the last byte of a packed type isn't full."""
    random = np.random.default_rng(kind)
    if kind == TensorProto.STRING:
        return helper.make_tensor(name, kind, [7], [b"a", b"", b"nul\0in", "übung".encode(), b"x" * 300, b"\xff", b"z"])
    tensor = TensorProto(name=name, data_type=kind, dims=[7])
    sizes = {TensorProto.UINT4: 4, TensorProto.INT4: 4, TensorProto.FLOAT4E2M1: 4, TensorProto.UINT2: 2,
             TensorProto.INT2: 2, TensorProto.COMPLEX128: 128}
    bits_each = sizes.get(kind) or (8 if 17 <= kind <= 20 or kind == 24 else
                                    16 if kind == TensorProto.BFLOAT16 else
                                    helper.tensor_dtype_to_np_dtype(kind).itemsize * 8)
    data = random.integers(0, 256, (7 * bits_each + 7) // 8).astype(np.uint8)
    if kind == TensorProto.BOOL:
        data &= 1
    if kind in (FLOAT, TensorProto.DOUBLE, TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        step = 4 if kind in (FLOAT, TensorProto.COMPLEX64) else 8
        data[step - 1::step] &= 0x3F  # no NaN: protobuf libraries may quieten it
    if raw:
        tensor.raw_data = data.tobytes()
    elif kind in (FLOAT, TensorProto.COMPLEX64):
        tensor.float_data.extend(data.view("<f4").tolist())
    elif kind in (TensorProto.DOUBLE, TensorProto.COMPLEX128):
        tensor.double_data.extend(data.view("<f8").tolist())
    elif kind == TensorProto.INT64:
        tensor.int64_data.extend(data.view("<i8").tolist())
    elif kind in (TensorProto.UINT64, TensorProto.UINT32):
        tensor.uint64_data.extend(data.view("<u8" if kind == TensorProto.UINT64 else "<u4").tolist())
    else:
        width = {16: "<u2", 32: "<i4"}.get(bits_each, "u1")
        width = {TensorProto.INT8: "i1", TensorProto.INT16: "<i2"}.get(kind, width)
        tensor.int32_data.extend(data.view(width).tolist())
    return tensor


def made_tensors():
    for kind in range(1, 27):
        for raw in (False, True):
            name = f"{TensorProto.DataType.Name(kind)} {'raw' if raw else 'typed'}"
            tensor = typed_tensor("w", kind, raw)
            tensor.doc_string = "kept"
            constant = helper.make_node("Constant", [], ["c"], value=typed_tensor("", kind, raw))
            yield name, model_of([helper.make_node("Identity", ["w"], ["y"]), constant],
                                 [], [value("y", [7], kind), value("c", [7], kind)], [tensor], opset=25, ir=13)
    empty = helper.make_tensor("w", FLOAT, [0, 3], [])
    scalar = helper.make_tensor("s", TensorProto.INT64, [], [5])
    yield "empty and scalar", model_of([helper.make_node("Identity", ["w"], ["y"]), helper.make_node("Identity", ["s"], ["z"])],
                                       [], [value("y", [0, 3]), value("z", [], TensorProto.INT64)], [empty, scalar])


def made_attributes():
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["inner"])], "body", [], [value("inner")])
    sparse = helper.make_sparse_tensor(helper.make_tensor("v", FLOAT, [2], [1, 2]),
                                       helper.make_tensor("i", TensorProto.INT64, [2], [1, 5]), [7])
    kind = helper.make_tensor_type_proto(FLOAT, [1, "m"])
    node = helper.make_node(
        "Everything", ["x", "", "x", ""], ["y", "", "z"], "node", "about it", "com.example",
        a_float=1.5, an_int=-7, a_string="text", floats=[1.0, -0.0, 3e38], ints=[-1, 0, 2**62], strings=["a", "", "c"],
        a_tensor=helper.make_tensor("named", FLOAT, [2], [1, 2]), a_graph=body,
        tensors=[helper.make_tensor("t0", FLOAT, [1], [1]), helper.make_tensor("t1", TensorProto.STRING, [1], [b"s"])],
        graphs=[body, body], a_sparse=sparse, sparses=[sparse, sparse], a_type=kind, types=[kind, kind])
    node.attribute[0].doc_string = "an attribute's"
    node.attribute.append(helper.make_attribute("empty_ints", [], attr_type=onnx.AttributeProto.INTS))
    node.attribute.append(helper.make_attribute("bytes", b"\xff\0\x01"))
    node.overload = "variant"
    node.metadata_props.add(key="k", value="v")
    yield "attributes", model_of([node], [value("x")], [value("y"), value("z")],
                                 imports=[helper.make_opsetid("com.example", 3)], ir=10)


def made_functions():
    body = [helper.make_node("Constant", [], ["a"]), helper.make_node("Mul", ["x", "a"], ["y"])]
    body[0].attribute.append(onnx.AttributeProto(name="value_float", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT))
    scale = helper.make_function("own", "Scale", ["x"], ["y"], body, [helper.make_opsetid("", 18)], ["needed"],
                                 [helper.make_attribute("alpha", 3.0)])
    scale.doc_string = "scales"
    nodes = [helper.make_node("Scale", ["x"], ["h"], domain="own", needed=1),
             helper.make_node("Scale", ["h"], ["y"], domain="own", alpha=0.5, needed=1)]
    yield "functions", model_of(nodes, [value("x")], [value("y")], imports=[helper.make_opsetid("own", 1)],
                                functions=[scale])


def made_control_flow():
    double = helper.make_graph([helper.make_node("Add", ["h", "h"], ["r"])], "then", [], [value("r")])
    zero = helper.make_graph([helper.make_node("Sub", ["h", "w"], ["r"])], "else", [], [value("r")])
    nodes = [helper.make_node("Relu", ["x"], ["h"]),
             helper.make_node("If", ["c"], ["y"], then_branch=double, else_branch=zero)]
    weight = helper.make_tensor("w", FLOAT, [3], [1, 2, 3])
    inputs = [value("x"), value("c", [], TensorProto.BOOL)]
    yield "if", model_of(nodes, inputs, [value("y")], [weight])
    yield "old inputs", model_of(nodes, inputs + [value("w", [3])], [value("y")], [weight], opset=11, ir=3)


def made_rest():
    relu = [helper.make_node("Relu", ["x"], ["h"], "first"), helper.make_node("Add", ["h", "w"], ["y"], "second")]
    weight = helper.make_tensor("w", FLOAT, [3], [1, 2, 3])
    for opset in range(1, 29):
        yield f"opset {opset}", model_of([helper.make_node("Identity", ["x"], ["y"])], [value("x")], [value("y")],
                                         opset=opset, ir=3 if opset < 9 else 8)
    model = model_of(relu, [value("x")], [value("y")], [weight], producer_name="maker", producer_version="1.2",
                     domain="org.example", model_version=42, doc_string="model", ir=13)
    helper.set_model_props(model, {"author": "nobody", "ünï": "cödé", "empty": ""})
    model.graph.doc_string = "graph"
    model.graph.metadata_props.add(key="g", value="1")
    model.graph.value_info.append(value("h", [None, 3]))
    model.graph.value_info.append(value("nowhere"))
    model.graph.input[0].doc_string = "the input"
    model.graph.input[0].metadata_props.add(key="i", value="2")
    model.graph.input[0].type.denotation = "IMAGE"
    annotation = model.graph.quantization_annotation.add(tensor_name="h")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    model.training_info.add().algorithm.name = "training"
    model.configuration.add(name="two", num_devices=2, device=["a", "b"])
    model.graph.node[0].device_configurations.add(configuration_id="two", pipeline_stage=1)
    yield "metadata", model
    unknown = bytes([0xCA, 0x3E, 3]) + b"abc" + bytes([0xC5, 0x3E]) + b"1234"  # fields 1001 and 1000
    broken_up = onnx.ModelProto.FromString(model.SerializeToString() + unknown)
    broken_up.graph.node[0].MergeFromString(unknown)
    broken_up.graph.input[0].MergeFromString(unknown)
    broken_up.graph.initializer[0].MergeFromString(unknown)
    broken_up.graph.MergeFromString(unknown)
    yield "unknown fields", broken_up
    sparse = model_of(relu, [value("x")], [value("y")])
    values = helper.make_tensor("w", FLOAT, [2], [1.5, 2.5])
    sparse.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [2], [0, 2]), [3]))
    yield "sparse initializer", sparse
    sequence = helper.make_tensor_sequence_value_info("s", FLOAT, ["n"])
    optional = helper.make_value_info("o", helper.make_optional_type_proto(sequence.type))
    mapping = helper.make_value_info("m", helper.make_map_type_proto(TensorProto.STRING, sequence.type))
    nodes = [helper.make_node("Identity", [n], [n + "2"], domain="com.example") for n in "som"]
    outputs = [helper.make_value_info(n + "2", t) for n, t in zip("som", (sequence.type, optional.type, mapping.type))]
    yield "types", model_of(nodes, [sequence, optional, mapping], outputs, imports=[helper.make_opsetid("com.example", 1)])
    big = numpy_helper.from_array(np.arange(3 * 2048, dtype=np.float32).reshape(2048, 3), "w")
    more = numpy_helper.from_array(np.arange(5000, dtype=np.int64), "unaligned after a long name " * 3)
    nodes = [helper.make_node("MatMul", ["w", "x"], ["y"]), helper.make_node("Identity", [more.name], ["z"])]
    yield "large", model_of(nodes, [value("x", [3, "n"])], [value("y", [2048, "n"]), value("z", [5000], TensorProto.INT64)],
                            [big, more])


def check_unsorted():
    nodes = [helper.make_node("Add", ["h", "x"], ["y"]), helper.make_node("Relu", ["x"], ["h"])]
    model = model_of(nodes, [value("x")], [value("y")])
    with tempfile.TemporaryDirectory() as folder:
        path, copy = os.path.join(folder, "in.onnx"), os.path.join(folder, "out.onnx")
        open(path, "wb").write(model.SerializeToString())
        subprocess.run(EMULATOR + [sys.argv[1], path, copy], check=True)
        onnx.checker.check_model(copy)
        if [n.op_type for n in onnx.load(copy).graph.node] != ["Relu", "Add"]:
            failures.append("unsorted: not put in order")


def check_external():
    """Read from, and written to, files beside the model."""
    model, large = (dict(made_rest())["large"] for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=16)
        check("external data read", path, True)
    check_made("external data written", large, True, limit=1000)


def check_shared():
    for path in sorted(glob.glob(os.path.join(SHARED, "zoo/*/model.onnx")) + glob.glob(os.path.join(SHARED, "models/*/*.onnx"))):
        check(os.path.relpath(path, SHARED), path, must_run=True)
    archive = os.path.join(SHARED, "onnx-backend.tar.xz")
    if not os.path.exists(archive):
        return print("not compared: the networks of ../shared are not here")
    with tarfile.open(archive) as tar:
        members = [m for m in tar if m.name.endswith("model.onnx")]
        for member in members[::5]:
            check_made(member.name, tar.extractfile(member).read())


def main():
    for makers in (made_tensors, made_attributes, made_functions, made_control_flow, made_rest):
        for name, model in makers():
            check_made(name, model)
    for name in ("if", "old inputs"):
        check_made(name, dict(made_control_flow())[name], must_run=True)
    check_unsorted()
    check_external()
    if not EMULATOR:
        check_shared()
    for failure in failures:
        print("FAILED", failure)
    print(f"{checked} models copied, {len(failures)} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
