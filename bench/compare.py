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
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from peers import environment  # noqa: E402

PEERS = ["ort", "openvino", "ncnn", "mnn"]


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
    parser.add_argument("--startup", action="store_true",
                        help="time and memory from loading to the first output instead")
    parser.add_argument("--int8", action="store_true",
                        help="a row more: ONNX Runtime's static int8 quantisation (other arithmetic), with --calib")
    parser.add_argument("--calib", type=pathlib.Path, metavar="X.npy", help="unlabelled inputs that choose its scales")
    parser.add_argument("--val-x", type=pathlib.Path, metavar="X.npy", help="inputs for its accuracy")
    parser.add_argument("--val-y", type=pathlib.Path, metavar="Y.npy", help="their labels")
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
    if options.int8 and not options.calib or bool(options.val_x) != bool(options.val_y):
        parser.error("--int8 needs --calib, --val-x needs --val-y")
    if options.clock == "cpu" and options.threads != [1]:
        parser.error("--clock cpu counts all threads' time together: it is for --threads 1")
    if options.int8:
        options.peers += ["ort-int8"]
    if not options.librango.exists():
        parser.error(f"{options.librango} is missing: build it, or name it with --librango")
    return options


def title(path):
    """The network's name: its folder's where the file is called model.onnx."""
    return path.parent.name if path.stem == "model" else path.stem


def measure_doors(options):
    """Seconds that a call of each engine takes on the smallest network, one thread."""
    from peers import networks
    from peers.measure import Row
    door = options.work / "door.onnx"
    networks.save_door(door)
    plain = {"rounds": 5, "clock": "wall", "peers": [peer for peer in options.peers if peer != "ort-int8"]}
    return Row("door", door, 1, 1, argparse.Namespace(**{**vars(options), **plain})).measure()["seconds"]


def use_highest_peak(rows):
    """The last row's peak is the highest that was seen with so many threads: other work can only lower it."""
    seen = [row["peak_gflops"] for row in rows if row["threads"] == rows[-1]["threads"] and "peak_gflops" in row]
    if "peak_gflops" in rows[-1]:
        rows[-1]["peak_gflops"] = max(seen)


def compare_speed(options):
    """Prints and returns the doors' seconds and all rows."""
    from peers import networks, report
    from peers.measure import Row
    doors = measure_doors(options)
    report.print_head(options, doors)
    rows = []
    for path in options.models:
        for batch in options.batch:
            for threads in options.threads:
                try:
                    rows.append(Row(title(path), path, batch, threads, options).measure())
                except networks.Unsuitable as reason:
                    print(f"{title(path)}, batch {batch}: left out, {reason}")
                    break
                use_highest_peak(rows)
                report.print_row(rows[-1], options)
    report.print_summary(rows, doors)
    if options.plot:
        report.plot(rows, options.plot)
    return {"doors": doors, "rows": rows}


def main():
    options = parse(sys.argv[1:])
    environment.ensure(environment.needed(options.peers, options.plot), options.venv)
    from peers import startup
    options.work.mkdir(parents=True, exist_ok=True)
    options.settings = {"folder": str(options.work), "librango": str(options.librango.resolve()),
                        "calib": str(options.calib) if options.calib else None}
    results = {"startup": startup.run(options, title)} if options.startup else compare_speed(options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
