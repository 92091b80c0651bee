"""One row of the comparison: every engine on one network, batch and number of threads, taking turns."""
import time

from . import networks
from .statistics import ratio_interval, relative_error
from .worker import FIRST_SECONDS, Failed, Worker, median

OURS_LIMIT, PEER_LIMIT = 1e-4, 1e-3
SLOW, FEW = 4.0, 3  # a peer this many times slower than the best stops after so many rounds
ROW_SECONDS, ENOUGH = 60.0, 5  # a row that takes longer ends after so many rounds
PEAK_SECONDS = 0.2
SETTLE_SECONDS = 0.04  # after a turn on several threads: pools spin a while before they sleep
OTHER_ARITHMETIC = ("ort-int8",)


def network_outputs(path):
    import onnx
    return [output.name for output in onnx.load(str(path), load_external_data=False).graph.output]


class Row:
    """Opens the engines, lets them take turns, and closes them."""

    def __init__(self, name, path, batch, threads, options):
        self.path, self.threads, self.options = path, threads, options
        self.inputs = networks.make_inputs(path, batch)
        self.batch = batch
        self.workers = {}
        self.result = {"network": name, "batch": batch, "threads": threads, "errors": {}, "failed": {}}

    def measure(self):
        try:
            self.open_all()
            if "rango" in self.workers:
                self.ask_machine()
            times = self.run_rounds()
            if "ort-int8" in times:
                self.ask_int8()
        finally:
            for worker in self.workers.values():
                worker.close()
        self.summarize(times)
        return self.result

    def drop(self, name, reason):
        self.result["failed"][name] = reason
        if name in self.workers:
            self.workers.pop(name).close()

    def open_all(self):
        """Starts everybody; who fails or disagrees with ONNX Runtime, which is asked in any case, is dropped."""
        names, reference = network_outputs(self.path), None
        for name in dict.fromkeys(["ort", "rango"] + self.options.peers):
            try:
                worker = self.workers[name] = Worker(name, self.threads, self.options.settings)
                worker.ask("load", str(self.path), self.inputs, names, seconds=FIRST_SECONDS)
                outputs = worker.ask("outputs")
            except Failed as failure:
                self.drop(name, str(failure))
                continue
            if name == "ort":
                reference = outputs
            elif reference is not None:
                self.compare_outputs(name, outputs, reference)
        if "ort" in self.workers and "ort" not in self.options.peers:
            self.workers.pop("ort").close()

    def compare_outputs(self, name, outputs, reference):
        error = self.result["errors"][name] = relative_error(outputs, reference)
        if error > (OURS_LIMIT if name == "rango" else PEER_LIMIT) and name not in OTHER_ARITHMETIC:
            self.drop(name, f"its outputs are {error:.2g} away from ONNX Runtime's" if error < float("inf") else
                      "its outputs have other sizes than ONNX Runtime's, or aren't numbers")

    def ask_machine(self):
        rango = self.workers["rango"]
        macs = rango.ask("macs", str(self.path), networks.symbol_sizes(self.path, self.inputs))
        self.result["macs"] = macs * self.batch if macs else None
        self.result["peak_gflops"], self.result["bandwidth_gbytes"] = rango.ask("peak", PEAK_SECONDS)

    def run_rounds(self):
        """Times by engine, one a round; another one begins each round."""
        times, begin = {name: [] for name in self.workers}, time.perf_counter()
        for turn in range(self.options.rounds):
            if turn >= ENOUGH and time.perf_counter() - begin > ROW_SECONDS:
                break
            order = list(self.workers)
            shift = turn % max(len(order), 1)
            for name in order[shift:] + order[:shift]:
                if self.is_slow(name, times):
                    continue
                try:
                    times[name].append(self.workers[name].ask("turn", self.options.clock, self.options.turn))
                except Failed as failure:
                    times.pop(name)
                    self.drop(name, str(failure))
                if self.threads > 1:
                    time.sleep(SETTLE_SECONDS)
        return times

    @staticmethod
    def is_slow(name, times):
        if name == "rango" or len(times[name]) < FEW:
            return False
        return median(times[name]) > SLOW * min(median(values) for values in times.values() if values)

    def ask_int8(self):
        """Size and, where there are labels, scores of the network as it is and of what quantisation made of it."""
        int8, options = self.workers["ort-int8"], self.options
        found = {"file_bytes": [self.path.stat().st_size, int8.ask("file_bytes")]}
        if options.val_x and "ort" in self.workers:
            import numpy as np
            labelled = str(self.path), np.load(options.val_x), np.load(options.val_y)
            found["score"] = [self.workers[name].ask("score", *labelled) for name in ("ort", "ort-int8")]
        self.result["int8"] = found

    def summarize(self, times):
        row = self.result
        row["rounds"] = times
        row["seconds"] = {name: median(values) for name, values in times.items()}
        rivals = {name: seconds for name, seconds in row["seconds"].items()
                  if name not in ("rango",) + OTHER_ARITHMETIC}
        if rivals and "rango" in times:
            row["best"] = min(rivals, key=rivals.get)
            row["ratio"], row["low"], row["high"] = ratio_interval(times[row["best"]], times["rango"])
