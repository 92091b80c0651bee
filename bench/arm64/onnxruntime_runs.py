"""Runs a network with ONNX Runtime once, then RUNS times between two marks, like runs.c:

    onnxruntime_runs.py PACKAGES MODEL INPUT.npy OUTPUT.npy RUNS
"""
import os
import sys

packages, model, source, target, runs = sys.argv[1:]
sys.path.insert(0, packages)
import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
inputs = {session.get_inputs()[0].name: numpy.load(source)}
outputs = session.run(None, inputs)
os.getppid()
for _ in range(int(runs)):
    outputs = session.run(None, inputs)
os.getppid()
numpy.save(target, outputs[0])
