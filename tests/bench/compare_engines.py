"""bench/compare.py: statistics and inputs on their own, then the program on a small network against ONNX Runtime.

    compare_engines.py LIBRANGO
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from peers import networks, statistics, worker  # noqa: E402


def check_statistics():
    ratio, low, high = statistics.ratio_interval([2.0, 2.2, 1.8, 2.1, 1.9], [1.0, 1.1, 0.9, 1.05, 0.95])
    assert abs(ratio - 2.0) < 1e-12 and abs(low - 2.0) < 1e-9 and abs(high - 2.0) < 1e-9  # what both share cancels out
    ratio, low, high = statistics.ratio_interval([3.0] * 9, [1.0, 2.0] * 4 + [1.0])
    assert ratio == 3.0 and low == 1.5 and high == 3.0
    assert abs(statistics.geometric_mean([0.5, 2.0, 8.0]) - 2.0) < 1e-12
    assert worker.median([3, 1, 2]) == 2 and worker.median([4, 1, 3, 2]) == 2.5
    r = np.array([1.0, -4.0], np.float32)
    assert statistics.relative_error([r + np.float32(0.5)], [r]) == 0.125
    assert statistics.relative_error([r, r + 1], [r, r]) == 0.25  # the worst output counts
    assert statistics.relative_error([r], [r, r]) == float("inf")
    assert statistics.relative_error([r[:1]], [r]) == float("inf")
    assert statistics.relative_error([np.array([1.0, np.nan])], [r]) == float("inf")


def save_lookup(folder):
    """Rows of a table of five: what an index may be is known from the table alone."""
    table = numpy_helper.from_array(np.arange(15, dtype=np.float32).reshape(5, 3), "table")
    graph = helper.make_graph([helper.make_node("Gather", ["table", "ids"], ["rows"])], "lookup",
                              [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", 40])],
                              [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 40, 3])], [table])
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def check_inputs(folder):
    path = save_lookup(folder)
    ids = networks.make_inputs(path, 3)["ids"]
    assert ids.shape == (3, 40) and ids.dtype == np.int64 and ids.min() == 0 and ids.max() == 4
    assert np.array_equal(ids, networks.make_inputs(path, 3)["ids"])  # the seed is fixed
    (folder / "test_data_set_0").mkdir()
    stored = np.arange(80).reshape(2, 40) % 5
    onnx.save_tensor(numpy_helper.from_array(stored), str(folder / "test_data_set_0" / "input_0.pb"))
    assert np.array_equal(networks.make_inputs(path, 1)["ids"], stored[:1])
    assert np.array_equal(networks.make_inputs(path, 3)["ids"], np.concatenate([stored, stored[:1]]))
    return path


def compare(library, model, folder, *options):
    """What bench/compare.py prints, and its JSON."""
    command = [sys.executable, str(ROOT / "bench" / "compare.py"), str(model), "--peers", "ort", "--librango", library,
               "--work", str(folder / "work"), "--json", str(folder / "out.json"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, json.loads((folder / "out.json").read_text())


def check_speed(library, model, folder):
    """Both engines run, agree, and every round is kept."""
    done, found = compare(library, model, folder, "--batch", "1,2", "--rounds", "3", "--turn", "0.002")
    assert [row["batch"] for row in found["rows"]] == [1, 2]
    for row in found["rows"]:
        assert not row["failed"] and row["best"] == "ort" and row["errors"]["rango"] <= 1e-4, done.stdout
        assert all(len(row["rounds"][name]) == 3 and row["seconds"][name] > 0 for name in ("rango", "ort"))
        assert row["low"] <= row["ratio"] <= row["high"]
    assert "Geometric mean" in done.stdout


def check_startup(library, model, folder):
    """Loading takes time and memory in both engines."""
    _, found = compare(library, model, folder, "--startup", "--rounds", "1")
    row = found["startup"][0]
    assert not row["failed"] and sorted(row["startup"]) == ["ort", "rango"], row
    assert all(0 < seconds < 60 and 0 < memory < 1e9 for seconds, memory in row["startup"].values()), row


def check_help():
    command = [sys.executable, "-S", str(ROOT / "bench" / "compare.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "--peers" in done.stdout, done.stderr  # without any package


def main():
    check_statistics()
    check_help()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = check_inputs(folder)
        check_speed(sys.argv[1], model, folder)
        check_startup(sys.argv[1], model, folder)


if __name__ == "__main__":
    main()
