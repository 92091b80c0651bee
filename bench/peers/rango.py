"""Rango through its C interface (include/rango.h)."""
import ctypes
import os

import numpy as np

from .engines import Engine

TYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
NAMES = {number: name for name, number in TYPES.items()}


class SessionOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("device", ctypes.c_int), ("threads", ctypes.c_int),
                ("pool", ctypes.c_void_p), ("isa", ctypes.c_char_p), ("profile", ctypes.c_bool),
                ("max_plans", ctypes.c_int)]


class DimBinding(ctypes.Structure):
    _fields_ = [("symbol", ctypes.c_char_p), ("value", ctypes.c_int64)]


RESULTS = {  # what doesn't return a status
    "rango_version": ctypes.c_char_p,
    "rango_error_message": ctypes.c_char_p,
    "rango_tensor_type": ctypes.c_int,
    "rango_tensor_rank": ctypes.c_int,
    "rango_tensor_dims": ctypes.POINTER(ctypes.c_int64),
    "rango_tensor_data": ctypes.c_void_p,
    "rango_tensor_bytes": ctypes.c_size_t,
    "rango_model_output_count": ctypes.c_size_t,
    "rango_analysis_macs": ctypes.c_int64,
}
STATUSES = ["rango_model_load", "rango_session_create", "rango_session_run", "rango_tensor_wrap",
            "rango_analysis_create", "rango_cpu_measure_peak"]


def library(path):
    """The library with its functions looked up, as an extension module's are when it is imported."""
    lib = ctypes.CDLL(path)
    for name in STATUSES:
        getattr(lib, name).restype = ctypes.c_int
    for name, result in RESULTS.items():
        getattr(lib, name).restype = result
    return lib


class Rango(Engine):
    def __init__(self, threads, settings):
        super().__init__(threads, settings)
        self.lib = library(settings["librango"])
        self.version = self.lib.rango_version().decode()

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.lib.rango_error_message().decode())

    def open(self, path):
        model = ctypes.c_void_p()
        self.check(self.lib.rango_model_load(os.fsencode(path), None, ctypes.byref(model)))
        return model

    def wrap(self, array):
        tensor, dims = ctypes.c_void_p(), (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
        self.check(self.lib.rango_tensor_wrap(
            TYPES[str(array.dtype)], array.ndim, dims, ctypes.c_void_p(array.ctypes.data),
            ctypes.c_size_t(array.nbytes), ctypes.byref(tensor)))
        return tensor

    def load(self, path, inputs):
        lib, model, session = self.lib, self.open(path), ctypes.c_void_p()
        options = SessionOptions(struct_size=ctypes.sizeof(SessionOptions), threads=self.threads)
        self.check(lib.rango_session_create(model, ctypes.byref(options), ctypes.byref(session)))
        self.arrays = list(inputs.values())
        self.tensors = [self.wrap(array) for array in self.arrays]
        count = lib.rango_model_output_count(model)
        self.results = (ctypes.c_void_p * count)()
        arguments = (ctypes.c_void_p * len(self.tensors))(*[tensor.value for tensor in self.tensors])
        self.arguments = (session, arguments, ctypes.c_size_t(len(self.tensors)), self.results, ctypes.c_size_t(count))
        self.call = lib.rango_session_run

    def run(self):
        if self.call(*self.arguments) != 0:
            self.check(1)

    def outputs(self):
        arrays = []
        for result in self.results:
            tensor = ctypes.c_void_p(result)
            rank = self.lib.rango_tensor_rank(tensor)
            shape = self.lib.rango_tensor_dims(tensor)[:rank]
            data = ctypes.string_at(self.lib.rango_tensor_data(tensor), self.lib.rango_tensor_bytes(tensor))
            arrays.append(np.frombuffer(data, NAMES[self.lib.rango_tensor_type(tensor)]).reshape(shape))
        return arrays

    def macs(self, path, sizes):
        """Multiply-accumulates of one row, None where they aren't known."""
        bindings = (DimBinding * max(len(sizes), 1))(*[(name.encode(), size) for name, size in sizes.items()])
        analysis = ctypes.c_void_p()
        if self.lib.rango_analysis_create(self.open(path), bindings, ctypes.c_size_t(len(sizes)),
                                          ctypes.byref(analysis)) != 0:
            return None
        macs = self.lib.rango_analysis_macs(analysis)
        return macs if macs > 0 else None

    def peak(self, seconds):
        """The machine's fused multiply-adds, GFLOP/s, with the engine's number of threads."""
        gflops, gbytes = ctypes.c_double(), ctypes.c_double()
        self.check(self.lib.rango_cpu_measure_peak(self.threads, ctypes.c_double(seconds), ctypes.byref(gflops),
                                                   ctypes.byref(gbytes)))
        return gflops.value, gbytes.value
