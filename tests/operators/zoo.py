"""Runs the networks of ../shared/zoo with the rango tool and compares their outputs with ONNX Runtime's.

    zoo.py RANGO [--isa avx512,avx2,generic] [--rows 256] [--emulator "qemu-aarch64 -L SYSROOT"] [--accuracy]

The figure is max|y - r| / max|r| over all rows, at most 1e-4. --accuracy runs the whole test split, too, and compares the
score with about.txt. Exits with 77 where the networks, the packages or every instruction set is missing.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

LIMIT = 1e-4
SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared"
DATA = {"cifar10": "cifar10", "mnist": "mnist", "imdb": "imdb", "burgers": "burgers"}


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


try:
    import numpy as np
    import onnxruntime as ort
except ImportError as error:
    skip(f"no {error.name} in this Python")


def run(command, model, rows, isa, folder):
    """The network's first output for `rows`, and seconds."""
    np.save(folder / "x.npy", rows)
    started = time.time()
    done = subprocess.run(command + ["run", str(model), "--input", str(folder / "x.npy"), "--output", str(folder / "y.npy"),
                                     "--quiet"],
                          env=dict(os.environ, RANGO_ISA=isa), capture_output=True, text=True, timeout=1500)
    if done.returncode != 0:
        raise RuntimeError(f"{model.parent.name} on {isa}: {done.stderr.strip()}")
    return np.load(folder / "y.npy"), time.time() - started


def runtime_outputs(model, rows):
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def available(command, isas, model, rows, folder):
    """The instruction sets that this CPU runs, of those asked for."""
    usable = []
    for isa in isas:
        try:
            run(command, model, rows[:1], isa, folder)
            usable.append(isa)
        except RuntimeError as error:
            print(f"{isa} is left out: {error}")
    return usable


def score(name, y, labels):
    """Percent right, or the relative error of a regression: as about.txt states it."""
    if labels.ndim == 1:
        return 100 * float(np.mean(np.argmax(y, axis=-1) == labels))
    return float(np.linalg.norm(y.reshape(labels.shape) - labels) / np.linalg.norm(labels))


def stated_score(model):
    text = (model.parent / "about.txt").read_text()
    return float(re.search(r"test ([0-9.]+)", text).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rango")
    parser.add_argument("--isa", default="avx512,avx2,generic")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--emulator", default="")
    parser.add_argument("--accuracy", action="store_true")
    arguments = parser.parse_args()
    models = sorted(SHARED.glob("zoo/*/model.onnx"))
    if not models:
        skip(f"{SHARED}/zoo is not there")
    command = shlex.split(arguments.emulator) + [arguments.rango]
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        first = np.load(SHARED / "data" / DATA[models[0].parent.name.split("-")[0]] / "test_x.npy")
        isas = available(command, arguments.isa.split(","), models[0], first, folder)
        if not isas:
            skip("none of the instruction sets runs here")
        print(f"{'network':18} {'rows':>5} " + " ".join(f"{isa:>10}" for isa in isas))
        for model in models:
            data = SHARED / "data" / DATA[model.parent.name.split("-")[0]]
            x = np.load(data / "test_x.npy")
            rows = x[:arguments.rows]
            expected = runtime_outputs(model, rows)
            cells = []
            for isa in isas:
                y, _ = run(command, model, rows, isa, folder)
                error = float(np.max(np.abs(y - expected)) / np.max(np.abs(expected)))
                wrong += not error <= LIMIT or y.shape != expected.shape
                cells.append(f"{error:10.2e}")
            line = f"{model.parent.name:18} {len(rows):5} " + " ".join(cells)
            if arguments.accuracy:
                y, seconds = run(command, model, x, isas[0], folder)
                got, stated = score(model.parent.name, y, np.load(data / "test_y.npy")), stated_score(model)
                wrong += not abs(got - stated) <= (0.02 if stated > 1 else 5e-5)
                line += f"   scores {got:.4f}, stated {stated} ({len(x)} rows, {seconds:.1f} s)"
            print(line, flush=True)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
