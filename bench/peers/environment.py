"""A Python that has the peers: the running one where it has them all, otherwise a virtual environment."""
import importlib.util
import os
import subprocess
import sys
import venv

PACKAGES = {  # what is imported: what PyPI calls it
    "numpy": "numpy",
    "onnx": "onnx",
    "matplotlib": "matplotlib",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "MNN": "MNN",
    "ncnn": "ncnn",
    "pnnx": "pnnx",
}
ALONE = ["pnnx"]  # its program needs nothing; what it says that it needs is PyTorch
PEER_PACKAGES = {"ort": ["onnxruntime"], "openvino": ["openvino"], "mnn": ["MNN"], "ncnn": ["ncnn", "pnnx"]}


def needed(peers, plot):
    """Packages for these peers; ONNX Runtime's outputs are the reference, so it is always among them."""
    modules = ["numpy", "onnx", "onnxruntime"] + [module for peer in peers for module in PEER_PACKAGES.get(peer, [])]
    return sorted(set(modules + (["matplotlib"] if plot else [])))


def missing(modules):
    return [module for module in modules if importlib.util.find_spec(module) is None]


def ensure(modules, folder):
    """Returns when every module can be imported; starts the program again in the environment where it can't."""
    absent = missing(modules)
    if not absent:
        return
    python = folder / "bin" / "python"
    if os.path.realpath(sys.prefix) == os.path.realpath(folder):
        sys.exit(f"compare: {', '.join(absent)} can't be imported in {folder}")
    if not python.exists():
        print(f"compare: making the virtual environment {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
    print(f"compare: installing what is missing of {', '.join(modules)} from PyPI", file=sys.stderr)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run(pip + [PACKAGES[module] for module in modules if module not in ALONE], check=True)
    alone = [PACKAGES[module] for module in modules if module in ALONE]
    if alone:
        subprocess.run(pip + ["--no-deps"] + alone, check=True)
    os.execv(python, [str(python)] + sys.argv)
