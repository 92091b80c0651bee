"""Instructions executed for one inference at batch 1 on one thread, counted by qemu between two marks: plain scalar C, NEON,
and ONNX Runtime. Outputs are compared. Called by bench/arm64.sh.

    instructions.py WORK SYSROOT MODEL...
"""
import os
import re
import subprocess
import sys

import numpy
import onnx

CPU = "neoverse-n1"
ENOUGH = 20e6  # instructions counted in all, so that what lies around a call doesn't show
MOST_RUNS = 20
MAKE = {1: lambda random, shape: random.standard_normal(shape).astype(numpy.float32),
        2: lambda random, shape: random.integers(0, 256, shape).astype(numpy.uint8),
        7: lambda random, shape: random.integers(1, 500, shape)}


def write_input(model, path):
    taken = {constant.name for constant in model.graph.initializer}
    value, = [value.type.tensor_type for value in model.graph.input if value.name not in taken]
    shape = [dim.dim_value or 1 for dim in value.shape.dim]
    numpy.save(path, MAKE[value.elem_type](numpy.random.default_rng(1), shape))


def count(work, root, program, runs):
    """(instructions, FMLA) of one run."""
    environment = dict(os.environ, QEMU_CPU=CPU, PYTHONHASHSEED="0")
    done = subprocess.run(["qemu-aarch64", "-L", root, "-plugin", f"{work}/count_instructions.so", *program], env=environment,
                          capture_output=True, text=True)
    marks = re.findall(r"^executed (\d+) fmla (\d+)$", done.stderr, re.M)
    if done.returncode or len(marks) != 2:
        raise RuntimeError(f"{program[0]}: {done.stderr.strip() or done.returncode}")
    return [(int(after) - int(before)) / runs for before, after in zip(*marks)]


def count_enough(command):
    one = command(1)
    runs = min(MOST_RUNS, int(ENOUGH / one[0]))
    return command(runs) if runs > 1 else one


def measure(work, sysroot, path):
    name = os.path.basename(os.path.dirname(path)) or path
    source = f"{work}/input.npy"
    write_input(onnx.load(path), source)
    target = {engine: f"{work}/output-{engine}.npy" for engine in ("reference", "neon", "onnxruntime")}
    ours = lambda engine: lambda runs: count(work, sysroot, [f"{work}/runs", path, source, target[engine], str(runs), engine],
                                             runs)
    theirs = lambda runs: count(work, f"{work}/root",
                                [f"{work}/root/usr/bin/python3.11", "-S", "bench/arm64/onnxruntime_runs.py",
                                 f"{work}/root/packages", path, source, target["onnxruntime"], str(runs)], runs)
    scalar, neon, other = ours("reference")(1), count_enough(ours("neon")), count_enough(theirs)
    outputs = {engine: numpy.load(file) for engine, file in target.items()}
    right = outputs["onnxruntime"]
    apart = max(abs(outputs[engine] - right).max() / abs(right).max() for engine in ("reference", "neon"))
    print(f"| {name} | {scalar[0] / 1e6:.2f} | {neon[0] / 1e6:.3f} | {other[0] / 1e6:.3f} | {neon[1] / 1e6:.3f} | "
          f"{other[1] / 1e6:.3f} | {scalar[0] / neon[0]:.1f} | {neon[0] / other[0]:.2f} | {apart:.0e} |", flush=True)


def main():
    work, sysroot, *models = sys.argv[1:]
    print(f"Millions of instructions for one inference, qemu's {CPU}\n\n| network | scalar | NEON | ONNX Runtime | FMLA, NEON | "
          "FMLA, ONNX Runtime | scalar ÷ NEON | NEON ÷ ONNX Runtime | outputs apart |\n|---|---|---|---|---|---|---|---|---|")
    for path in models:
        measure(work, sysroot, path)


main()
