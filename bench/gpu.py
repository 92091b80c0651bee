#!/usr/bin/env python3
"""Rango on a GPU beside PyTorch on the same one: float32 with TF32 off.

    bench/gpu.py [--program build/release/bench/gpu/gpu_network] [--device vulkan] [--networks vgg16,...] [--batches 1,64,512]
                 [--products] [--profile NAME:BATCH] [--rounds N] [--models FOLDER] [--half]
    bench/gpu.py --pair ORIGINAL.onnx COMPRESSED.onnx [--batches 512]

Networks are seeded (bench/gpu/networks.py), written as ONNX by PyTorch, and timed in turns: PyTorch's best of eager, a CUDA graph,
and a CUDA graph channels-last, by CUDA events with inputs on the GPU; Rango by the wall clock around a call, copies to and from the
CPU included. `with copies` is PyTorch's best by the wall clock as well, from pinned memory and back to it. `--pair` times a network and
what `rango compress` made of it, in turns. `--products` does the same for matrix products (inputs of Rango's copied too: its GPU time by its own profile is
printed beside). Without CUDA only Rango's times are printed. Needs torch, numpy and onnx.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench" / "gpu"))
import networks  # noqa: E402

PRODUCTS = [(8192, 8192, 8192), (4096, 64, 4096), (64, 4096, 4096), (1, 4096, 4096), (512, 512, 512)]  # m, n, k


def median(values):
    return sorted(values)[len(values) // 2]


def timed(call, rounds):
    """Milliseconds of a call on the GPU, median."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return median(times)


def timed_with_copies(replay, x, y, rounds):
    """Milliseconds from an input in the CPU's memory to the output there, median: what Rango's call does."""
    source, target = x.cpu().pin_memory(), torch.empty_like(y, device="cpu").pin_memory()
    times = []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        x.copy_(source, non_blocking=True)
        replay()
        target.copy_(y, non_blocking=True)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    return median(times[3:])


def graph_of(function, x):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            function(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = function(x)
    return graph.replay, y


def torch_ms(network, x, rounds):
    """The best way's milliseconds and name, and the best graph's with copies."""
    network, x = network.cuda(), x.cuda()
    with torch.inference_mode():
        replay, y = graph_of(network, x)
        best = {"eager": timed(lambda: network(x), rounds), "graph": timed(replay, rounds)}
        copied = [timed_with_copies(replay, x, y, rounds)]
        if x.dim() == 4:
            replay, y = graph_of(network.to(memory_format=torch.channels_last), x)
            best["graph, channels last"] = timed(replay, rounds)
            copied.append(timed_with_copies(replay, x, y, rounds))
    network.cpu()
    name, fastest = min(best.items(), key=lambda item: item[1])
    return fastest, name, min(copied)


def export(network, x, path):
    batch = torch.export.Dim("batch", max=65536)
    torch.onnx.export(network, (x,), str(path), input_names=["x"], output_names=["y"], dynamic_shapes=({0: batch},), dynamo=True,
                      external_data=False, verbose=False)


def model_of(arguments, name, network, folder):
    if arguments.models:
        return pathlib.Path(arguments.models) / f"{name}.onnx"
    path = folder / f"{name}.onnx"
    export(network, networks.example(name, 2), path)
    return path


def rango_ms(arguments, model, batches, rounds, *more):
    command = [arguments.program, model, arguments.device, ",".join(map(str, batches)), "--rounds", str(rounds), *more]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None, ""
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def geometric(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def bench_networks(arguments, folder):
    ratios, copied = {}, {}
    options = ([] if arguments.no_check else ["--check"]) + (["--half"] if arguments.half else [])
    for name in arguments.networks:
        network = networks.make(name)
        path = model_of(arguments, name, network, folder)
        lines, _ = rango_ms(arguments, path, arguments.batches, arguments.rounds, *options)
        for line in lines or []:
            batch, ms = line["batch"], line["ms"]
            text = f"{name:10} batch {batch:4}: rango {ms:9.4f} ms (first call {line['first_ms']:8.1f}, error {line.get('error', 0):.1e})"
            if torch.cuda.is_available():
                theirs, way, with_copies = torch_ms(network, networks.example(name, batch), arguments.rounds)
                ratios.setdefault(batch, []).append(theirs / ms)
                copied.setdefault(batch, []).append(with_copies / ms)
                text += f", torch {theirs:9.4f} ({way}), torch / rango {theirs / ms:.2f}, with copies {with_copies:.4f}, {with_copies / ms:.2f}"
            print(text, flush=True)
    for batch in ratios:
        print(f"geometric mean of torch / rango at batch {batch}: {geometric(ratios[batch]):.2f}, with copies {geometric(copied[batch]):.2f}")


def bench_pair(arguments):
    for batch in arguments.batches:
        times = [[], []]
        for _ in range(5):
            for i, path in enumerate(arguments.pair):
                lines, _ = rango_ms(arguments, path, [batch], arguments.rounds)
                times[i].append(lines[0]["ms"])
        whole, small = map(median, times)
        print(f"batch {batch}: {whole:.4f} ms, compressed {small:.4f} ms, {whole / small:.2f} times as fast", flush=True)


def save_product(path, n, k):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    w = np.random.default_rng(1).standard_normal((k, n), dtype=np.float32)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "product",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["m", k])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m", n])],
                              [helper.make_tensor("w", TensorProto.FLOAT, [k, n], w.tobytes(), raw=True)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def bench_products(arguments, folder):
    for m, n, k in PRODUCTS:
        path = folder / "product.onnx"
        save_product(path, n, k)
        lines, profile = rango_ms(arguments, path, [m], 10, "--profile")
        if lines is None:
            continue
        ours = float(profile.split()[0])
        flops = 2e-9 * m * n * k
        text = f"{m} x {n} x {k}: rango {ours:.4f} ms on the GPU, {flops / ours:.2f} TFLOP/s"
        if torch.cuda.is_available():
            a, b = torch.randn(m, k, device="cuda"), torch.randn(k, n, device="cuda")
            out = torch.empty(m, n, device="cuda")
            theirs = timed(graph_of(lambda x: torch.mm(x, b, out=out), a)[0], 20)
            text += f"; torch {theirs:.4f} ms, {flops / theirs:.2f} TFLOP/s, torch / rango {theirs / ours:.2f}"
        print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/release/bench/gpu/gpu_network")
    parser.add_argument("--device", default="vulkan")
    parser.add_argument("--networks", default=",".join(networks.NETWORKS), type=lambda text: [n for n in text.split(",") if n])
    parser.add_argument("--batches", default="1,64,512", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--rounds", default=30, type=int)
    parser.add_argument("--products", action="store_true")
    parser.add_argument("--no-check", action="store_true", help="don't compare outputs with the CPU's")
    parser.add_argument("--models", help="folder with NAME.onnx of the same architectures, in place of PyTorch's export")
    parser.add_argument("--half", action="store_true", help="Rango keeps values as float16")
    parser.add_argument("--pair", nargs=2, metavar=("ORIGINAL", "COMPRESSED"))
    parser.add_argument("--profile", help="NAME:BATCH: print the nodes' times of one network")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if arguments.profile:
            name, batch = arguments.profile.split(":")
            path = model_of(arguments, name, networks.make(name), folder)
            _, profile = rango_ms(arguments, path, [int(batch)], arguments.rounds, "--profile")
            print(profile)
            return
        if arguments.pair:
            bench_pair(arguments)
            return
        if arguments.products:
            bench_products(arguments, folder)
        bench_networks(arguments, folder)


if __name__ == "__main__":
    main()
