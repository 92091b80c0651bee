#!/usr/bin/env python3
"""What `rango compress` removes from networks within a budget, scored by ONNX Runtime on data that no choice was made with.

    bench/compression.py ROW... [--rango build/release/rango] [--zoo ../shared] [--out FOLDER] [--json FILE]

A row is NETWORK:OBJECTIVE:BUDGET, as in cifar10-vgg16:balanced:0.5 (points of top-1) or burgers-mlp:params:x1.1 (times the
original's relative error); further options of compress follow after another colon, separated by spaces. Calibration rows
fit, validation rows choose, test rows are looked at once, here. Printed for each row: percent of parameters and MACs
removed, the change on val and on test with the paired standard error, the largest difference between Rango's and ONNX
Runtime's outputs of the written file, time over the original's at batch 1 and 32 (median of interleaved rounds, one
thread), seconds and peak memory of compress.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHECKED_ROWS = 64  # compared between Rango and ONNX Runtime


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/compression.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="ROW")
    parser.add_argument("--rango", type=pathlib.Path, default=ROOT / "build/release/rango")
    parser.add_argument("--zoo", type=pathlib.Path, default=ROOT.parent / "shared", help="holds zoo/ and data/")
    parser.add_argument("--out", type=pathlib.Path, help="keep the compressed networks here")
    parser.add_argument("--threads", type=int, default=2, help="of compress (2)")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there too")
    return parser.parse_args(arguments)


def run_rango(options, *arguments):
    """The JSON that a command prints, its seconds and its peak memory in bytes."""
    start = time.time()
    command = [str(options.rango), *map(str, arguments), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{errors.strip()}")
    return json.loads(text), time.time() - start


def peak_memory():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def outputs(model, rows, batch=64):
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: rows[i:i + batch]})[0] for i in range(0, len(rows), batch)])


def score(before, after, labels):
    """Value before, value after, paired standard error of the change: points of top-1, or ratio of relative errors."""
    if labels.dtype.kind in "iu":
        right = [100.0 * (made.argmax(1) == labels) for made in (before, after)]
        change = right[1] - right[0]
        return right[0].mean(), right[1].mean(), change.std(ddof=1) / np.sqrt(len(change))
    squares = [((made - labels) ** 2).reshape(len(labels), -1).sum(1) for made in (before, after)]
    norm = (labels.astype(float) ** 2).sum()
    draws = np.random.default_rng(1).integers(len(labels), size=(1000, len(labels)))
    ratios = np.sqrt(squares[1][draws].sum(1) / squares[0][draws].sum(1))
    return np.sqrt(squares[0].sum() / norm), np.sqrt(squares[1].sum() / norm), ratios.std()


def difference(options, model, rows, reference):
    with tempfile.TemporaryDirectory() as folder:
        made, given = pathlib.Path(folder, "y.npy"), pathlib.Path(folder, "x.npy")
        np.save(given, rows)
        command = [str(options.rango), "run", str(model), "--input", str(given), "--output", str(made), "--quiet"]
        subprocess.run(command, check=True)
        return float(np.abs(np.load(made) - reference).max() / np.abs(reference).max())


def time_ratio(options, model, small, data, batch):
    table, _ = run_rango(options, "bench", model, "--compressed", small, "--input", data, "--batch", batch, "--threads", 1,
                         "--rows", "simd,svd_simd")
    times = {row["name"]: row.get("ms_median") for row in table["rows"]}
    return times["svd_simd"] / times["simd"]


def measure(options, row, folder):
    network, objective, budget, *more = row.split(":", 3)
    ratio = budget.startswith("x")
    model = options.zoo / "zoo" / network / "model.onnx"
    data = options.zoo / "data" / network.split("-")[0]
    small = folder / f"{network}-{objective}-{budget}.onnx"
    limit = ["--max-error-ratio", budget[1:]] if ratio else ["--max-drop", budget]
    facts, seconds = run_rango(options, "compress", model, "-o", small, "--calib", data / "calib.npy", "--val",
                               data / "val_x.npy", "--labels", data / "val_y.npy", "--objective", objective, *limit,
                               "--threads", options.threads, *(more[0].split() if more else []))
    test, labels = np.load(data / "test_x.npy"), np.load(data / "test_y.npy")
    original, compressed = outputs(model, test), outputs(small, test)
    before, after, error = score(original, compressed, labels)
    change = after / before if ratio else after - before
    allowed = (float(budget[1:]) + 2 * error) if ratio else -(float(budget) + 2 * error)
    return {"network": network, "objective": objective, "budget": budget,
            "params_off": 100 * (1 - facts["params_after"] / facts["params_before"]),
            "macs_off": 100 * (1 - facts["macs_after"] / facts["macs_before"]),
            "val": facts["metric_after"] / facts["metric_before"] if ratio else facts["metric_after"] - facts["metric_before"],
            "test": float(change), "test_se": float(error),
            "test_within": bool(change <= allowed if ratio else change >= allowed),
            "difference": difference(options, small, test[:CHECKED_ROWS], compressed[:CHECKED_ROWS]),
            "time_1": time_ratio(options, model, small, data / "val_x.npy", 1),
            "time_32": time_ratio(options, model, small, data / "val_x.npy", 32),
            "seconds": seconds, "memory": peak_memory()}


def main(arguments):
    options = parse(arguments)
    results = []
    print("network             objective budget  params   MACs     val    test (s.e.) within   differ  time1 time32       s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for row in options.rows:
            r = measure(options, row, folder)
            results.append(r)
            print(f"{r['network']:19} {r['objective']:9} {r['budget']:>6} {r['params_off']:7.1f} {r['macs_off']:6.1f} "
                  f"{r['val']:7.3f} {r['test']:7.3f} ({r['test_se']:.2f}) {'yes' if r['test_within'] else 'NO':>6} "
                  f"{r['difference']:8.1e} {r['time_1']:6.2f} {r['time_32']:6.2f} {r['seconds']:7.1f}", flush=True)
    print(f"largest memory of a process: {peak_memory() / 1e6:.0f} MB")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
