#!/usr/bin/env python3
"""Rango beside other inference engines on the same networks, inputs and threads, taking turns.

    bench/compare.py MODEL.onnx... [--peers ort,openvino,ncnn,mnn] [--batch 1,32] [--threads 1,2]
                     [--rounds N] [--json FILE] [--plot FILE.svg]

Each engine runs in a process of its own, one at a time, round after round; inputs and outputs are bound once. A time is
the median over rounds of a round's median. All compute in float32, and outputs are compared with ONNX Runtime's: a peer
that is over 1e-3 away is named and not counted. What is missing is installed from PyPI into a virtual environment.
"""
import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from peers import environment  # noqa: E402

PEERS = ["ort", "openvino", "ncnn", "mnn"]
OURS_LIMIT, PEER_LIMIT = 1e-4, 1e-3
SLOW = 4.0         # a peer this many times slower than the best stops after FEW rounds
FEW = 3
PEAK_SECONDS = 0.2
SETTLE_SECONDS = 0.04  # after a turn on several threads: pools spin a while before they sleep


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/compare.py", description=__doc__.split("\n\n")[0],
                                     epilog=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(number) for number in text.split(",")]  # noqa: E731
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx", type=pathlib.Path)
    parser.add_argument("--peers", default=",".join(PEERS), help="of ort, openvino, ncnn, mnn (all)")
    parser.add_argument("--batch", type=numbers, default=[1], help="batch sizes, as in 1,32 (1); fixed ones are kept")
    parser.add_argument("--threads", type=numbers, default=[1], help="numbers of threads, as in 1,2 (1)")
    parser.add_argument("--rounds", type=int, help="rounds, each engine once in each (15; 5 with --startup)")
    parser.add_argument("--turn", type=float, default=0.05, metavar="SECONDS", help="what a turn takes (0.05)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall",
                        help="wall, or for one thread on a machine with other work: the process's own time")
    parser.add_argument("--startup", action="store_true", help="time and memory from loading to the first output instead")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="everything measured")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE.svg", help="GFLOP/s under the machine's peak")
    parser.add_argument("--librango", type=pathlib.Path, default=ROOT / "build" / "release" / "librango.so")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "build" / "compare-venv",
                        help="where packages go that this Python lacks (build/compare-venv)")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "compare",
                        help="converted networks and the engines' messages (build/compare)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (5 if options.startup else 15)
    options.peers = [peer for peer in options.peers.split(",") if peer]
    unknown = [peer for peer in options.peers if peer not in PEERS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}")
    if not options.librango.exists():
        parser.error(f"{options.librango} is missing: build it, or name it with --librango")
    return options


def title(path):
    """The network's name: its folder's where the file is called model.onnx."""
    return path.parent.name if path.stem == "model" else path.stem


def open_engines(row, names, threads, work, path, inputs, failures):
    """Workers that loaded the network and whose outputs agree, by name; the others' reasons go to `failures`."""
    import onnx
    from peers.statistics import relative_error
    from peers.worker import Failed, Worker
    output_names = [output.name for output in onnx.load(str(path), load_external_data=False).graph.output]
    workers, errors, reference = {}, {}, None
    for name in dict.fromkeys(["ort", "rango"] + names):
        try:
            workers[name] = Worker(name, threads, work)
            workers[name].ask("load", str(path), inputs, output_names, seconds=600)
            outputs = workers[name].ask("outputs")
            if name == "ort":
                reference = outputs
            elif reference is not None:
                errors[name] = relative_error(outputs, reference)
                if errors[name] > (OURS_LIMIT if name == "rango" else PEER_LIMIT):
                    raise Failed(f"its outputs are {errors[name]:.2g} away from ONNX Runtime's")
        except Failed as failure:
            failures[name] = str(failure)
            if name in workers:
                workers.pop(name).close()
    if "ort" not in names and "ort" in workers:
        workers.pop("ort").close()
    row["errors"] = errors
    return workers


def run_rounds(workers, options, threads, failures):
    """Times by engine, one a round."""
    from peers.worker import Failed, median
    times = {name: [] for name in workers}
    for _ in range(options.rounds):
        for name in list(workers):
            if len(times[name]) >= FEW and name != "rango":
                best = min(median(times[other]) for other in times if times[other])
                if median(times[name]) > SLOW * best:
                    continue
            try:
                times[name].append(workers[name].ask("turn", options.clock, options.turn))
            except Failed as failure:
                failures[name] = str(failure)
                workers.pop(name).close()
                times.pop(name)
            if threads > 1:
                time.sleep(SETTLE_SECONDS)
    return times


def measure(path, batch, threads, options):
    """One row: every engine on one network, batch and number of threads."""
    from peers import networks
    from peers.statistics import ratio_interval
    from peers.worker import median
    row, failures = {"network": title(path), "batch": batch, "threads": threads}, {}
    inputs = networks.make_inputs(path, batch)
    workers = open_engines(row, options.peers, threads, options.work, path, inputs, failures)
    try:
        if "rango" in workers:
            macs = workers["rango"].ask("macs", str(path), networks.symbol_sizes(path, inputs))
            row["macs"] = macs * batch if macs else None
            row["peak_gflops"], row["bandwidth_gbytes"] = workers["rango"].ask("peak", PEAK_SECONDS)
        times = run_rounds(workers, options, threads, failures)
    finally:
        for worker in workers.values():
            worker.close()
    row["seconds"] = {name: median(values) for name, values in times.items()}
    row["rounds"] = times
    row["failed"] = failures
    rivals = {name: seconds for name, seconds in row["seconds"].items() if name != "rango"}
    if rivals and "rango" in times:
        row["best"] = min(rivals, key=rivals.get)
        row["ratio"], row["low"], row["high"] = ratio_interval(times[row["best"]], times["rango"])
    return row


def measure_doors(options):
    """Seconds that a call of each engine takes on the smallest network, one thread."""
    from peers import networks
    door = options.work / "door.onnx"
    networks.save_door(door)
    row = measure(door, 1, 1, argparse.Namespace(**{**vars(options), "rounds": 5, "clock": "wall"}))
    return row["seconds"], row["failed"]


def compare_speed(options):
    """Prints and returns the doors' seconds and all rows."""
    from peers import networks, report
    doors, _ = measure_doors(options)
    report.print_head(options, doors)
    rows = []
    for path in options.models:
        for batch in options.batch:
            for threads in options.threads:
                try:
                    rows.append(measure(path, batch, threads, options))
                except networks.Unsuitable as reason:
                    print(f"{title(path)}, batch {batch}: left out, {reason}")
                    break
                report.print_row(rows[-1], doors)
    report.print_summary(rows, doors)
    if options.plot:
        report.plot(rows, options.plot)
    return {"doors": doors, "rows": rows}


def main():
    options = parse(sys.argv[1:])
    environment.ensure(environment.needed(options.peers, options.plot), options.venv)
    from peers import startup
    os.environ["RANGO_LIBRARY"] = str(options.librango.resolve())
    options.work.mkdir(parents=True, exist_ok=True)
    results = {"startup": startup.run(options, title)} if options.startup else compare_speed(options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
