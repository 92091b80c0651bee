"""The engines behind one interface.

    engine = Engine(threads, settings) imports the library; settings: "folder" (converted networks), "librango", "calib"
    engine.output_names                set by the caller: the network's outputs, in order
    engine.convert(path, inputs)       what is done once, offline: ONNX to the engine's own format
    engine.load(path, inputs)          reads the network; inputs are bound
    engine.run()                       once; the first run also makes the outputs' memory
    engine.bind()                      after the first run: outputs are bound, too
    engine.outputs()                   arrays, in the network's order

All compute in float32: what would make them use less is switched off.
"""
import hashlib
import importlib.util
import pathlib
import shutil
import subprocess

import numpy as np


class Engine:
    def __init__(self, threads, settings):
        self.threads = threads
        self.settings = settings
        self.folder = pathlib.Path(settings["folder"])

    def convert(self, path, inputs):
        """Nothing to do for an engine that reads ONNX."""

    def bind(self):
        """Nothing to do for an engine whose outputs stay where they are."""

    def converted(self, path, inputs):
        """Where a conversion is kept: one for each file and shapes."""
        key = hashlib.sha256(pathlib.Path(path).read_bytes())
        key.update(repr([(name, array.shape, str(array.dtype)) for name, array in inputs.items()]).encode())
        return self.folder / key.hexdigest()[:16]


class OnnxRuntime(Engine):
    def __init__(self, threads, settings):
        super().__init__(threads, settings)
        import onnxruntime
        self.ort = onnxruntime
        self.version = onnxruntime.__version__

    def load(self, path, inputs):
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = self.ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        self.inputs = [self.ort.OrtValue.ortvalue_from_numpy(array) for array in inputs.values()]
        for name, value in zip(inputs, self.inputs):
            binding.bind_ortvalue_input(name, value)
        self.names = [output.name for output in session.get_outputs()]
        for name in self.names:
            binding.bind_output(name)
        self.session, self.binding = session, binding

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def bind(self):
        self.values = self.binding.get_outputs()
        self.binding.clear_binding_outputs()
        for name, value in zip(self.names, self.values):
            self.binding.bind_ortvalue_output(name, value)

    def outputs(self):
        return [value.numpy().copy() for value in self.binding.get_outputs()]


class OpenVino(Engine):
    def __init__(self, threads, settings):
        super().__init__(threads, settings)
        import openvino
        self.ov = openvino
        self.version = openvino.__version__.split("-")[0]

    def load(self, path, inputs):
        core = self.ov.Core()
        model = core.read_model(str(path))
        try:
            model.reshape({name: list(array.shape) for name, array in inputs.items()})
        except RuntimeError:
            model = core.read_model(str(path))  # some networks only take free sizes
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY"})
        self.request = compiled.create_infer_request()
        self.arrays = list(inputs.values())
        for name, array in inputs.items():
            self.request.set_tensor(name, self.ov.Tensor(array, shared_memory=True))
        self.count = len(compiled.outputs)

    def run(self):
        self.request.infer(share_outputs=True)

    def outputs(self):
        return [np.array(self.request.get_output_tensor(i).data) for i in range(self.count)]


class Mnn(Engine):
    def __init__(self, threads, settings):
        super().__init__(threads, settings)
        import MNN
        import MNN.expr
        import MNN.nn
        import _tools  # MNN's converter; the program `mnnconvert` around it would also report each use to its makers
        self.expr, self.nn, self.tools = MNN.expr, MNN.nn, _tools
        self.version = MNN.version()

    def convert(self, path, inputs):
        target = self.converted(path, inputs).with_suffix(".mnn")
        if not target.exists():
            partial = target.with_suffix(".mnn.partial")
            command = ["mnnconvert", "-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(partial),
                       "--bizCode", "compare"]
            if not self.tools.mnnconvert(command):
                raise RuntimeError("its converter refuses the network")
            partial.rename(target)
        self.model = target

    def load(self, path, inputs):
        expr, nn = self.expr, self.nn
        settings = ({"backend": "CPU", "numThread": self.threads, "precision": "high"},)
        self.net = nn.load_module_from_file(str(self.model), list(inputs), self.output_names,
                                            runtime_manager=nn.create_runtime_manager(settings))
        kinds = {"float32": expr.float, "int32": expr.int, "uint8": expr.uint8}
        self.inputs = []
        for array in inputs.values():
            narrow = array.astype(np.int32) if array.dtype == np.int64 else array
            variable = expr.placeholder(list(array.shape), expr.NCHW, kinds[str(narrow.dtype)])
            variable.write(narrow)
            self.inputs.append(variable)

    def run(self):
        self.values = self.net.forward(self.inputs)

    def outputs(self):
        return [np.array(self.expr.convert(value, self.expr.NCHW).read()) for value in self.values]


class Ncnn(Engine):
    def __init__(self, threads, settings):
        super().__init__(threads, settings)
        import ncnn
        self.ncnn = ncnn
        self.version = ncnn.__version__
        self.pnnx = pathlib.Path(importlib.util.find_spec("pnnx").origin).parent / "pnnx"

    def convert(self, path, inputs):
        self.batch = next(iter(inputs.values())).shape[0]
        row = {name: array[:1] if array.ndim and array.shape[0] == self.batch else array
               for name, array in inputs.items()}
        folder = self.converted(path, row).with_suffix(".ncnn")
        if not folder.exists():
            partial = folder.with_suffix(".ncnn.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            shapes = self.without_casts(path, row, partial / "network.onnx")
            done = subprocess.run([self.pnnx, "network.onnx", f"inputshape={shapes}", "fp16=0"], cwd=partial,
                                  capture_output=True, text=True, timeout=600)
            if not (partial / "network.ncnn.param").exists():
                said = (done.stdout + done.stderr).strip().splitlines()
                raise RuntimeError(f"pnnx ends with {done.returncode}: {said[-1] if said else 'silent'}")
            partial.rename(folder)
        self.model = folder / "network.ncnn"

    @staticmethod
    def without_casts(path, inputs, target):
        """Saves the network with inputs that are cast to float declared so: ncnn's values are all float."""
        import onnx
        model = onnx.load(str(path))
        kept = []
        for node in model.graph.node:
            if node.op_type == "Cast" and node.input[0] in inputs and node.attribute[0].i == onnx.TensorProto.FLOAT:
                for value in model.graph.input:
                    if value.name == node.input[0]:
                        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
                node.op_type = "Identity"
                del node.attribute[:]
            kept.append(node)
        onnx.save(model, str(target))
        kinds = {1: "f32", 2: "u8", 6: "i32", 7: "i64"}
        types = {value.name: kinds[value.type.tensor_type.elem_type] for value in model.graph.input
                 if value.name in inputs}
        return ",".join(f"[{','.join(map(str, array.shape))}]{types[name]}" for name, array in inputs.items())

    def load(self, path, inputs):
        self.net = self.ncnn.Net()
        options = self.net.opt
        options.num_threads = self.threads
        options.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage", "int8_inference"):
            setattr(options, f"use_{name}", False)
        if self.net.load_param(str(self.model) + ".param") != 0 or self.net.load_model(str(self.model) + ".bin") != 0:
            raise RuntimeError("it lacks " + ", ".join(self.foreign_layers()))
        narrow = [array.astype(np.int32 if array.dtype == np.int64 else np.float32) for array in inputs.values()]
        self.rows = [[self.ncnn.Mat(np.ascontiguousarray(array[i])).clone() for array in narrow]
                     for i in range(self.batch)]
        self.names = list(self.net.output_names())
        self.inputs = list(self.net.input_names())

    def foreign_layers(self):
        """Types of layer that pnnx left as they were: ncnn's own have no dot in their names."""
        types = {line.split()[0] for line in open(f"{self.model}.param").read().splitlines()[2:]}
        return sorted(kind for kind in types if "." in kind) or ["a layer that its converter wrote"]

    def run(self):
        self.values = []
        for row in self.rows:
            extractor = self.net.create_extractor()
            for name, value in zip(self.inputs, row):
                extractor.input(name, value)
            results = [extractor.extract(name) for name in self.names]
            if any(status != 0 for status, _ in results):
                raise RuntimeError("ncnn: a layer failed")
            self.values.append([value for _, value in results])

    def outputs(self):
        return [np.stack([np.array(row[i]) for row in self.values]) for i in range(len(self.names))]


def engine_class(name):
    if name == "rango":
        from .rango import Rango
        return Rango
    if name == "ort-int8":
        from .quantized import OnnxRuntimeInt8
        return OnnxRuntimeInt8
    return {"ort": OnnxRuntime, "openvino": OpenVino, "mnn": Mnn, "ncnn": Ncnn}[name]
