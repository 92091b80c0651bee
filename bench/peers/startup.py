"""From nothing to the first output: a fresh process for each measurement, engines taking turns."""
import gc

from .report import ORDER, TITLES, time_text
from .worker import CLOCKS, FIRST_SECONDS, Failed, Worker, median

NOTE = """Start-up: milliseconds ({clock} clock) from before the network's file is opened until its first output is
there, and the largest growth of resident memory meanwhile in MB (mapped files included). A fresh process each time,
medians of {rounds}; the library is loaded already, the file in the page cache, conversion (ncnn, MNN) done before.
Batch 1, threads: {threads}."""


def memory_kilobytes(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


def first_output(engine, path, inputs, clock):
    """Seconds and bytes, in the engine's own process."""
    engine.convert(path, inputs)
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as control:
            control.write("5")  # the peak starts again from what is resident now
    except OSError:
        pass
    before = memory_kilobytes("VmRSS")
    begin = clock()
    engine.load(path, inputs)
    engine.run()
    seconds = clock() - begin
    return seconds, 1024 * (memory_kilobytes("VmHWM") - before)


def start(name, path, inputs, output_names, options):
    """(seconds, bytes) of one start, or None with the reason."""
    worker = None
    try:
        worker = Worker(name, options.threads[0], options.settings)
        return worker.ask("first_output", str(path), inputs, output_names, options.clock, seconds=FIRST_SECONDS), None
    except Failed as failure:
        return None, str(failure)
    finally:
        if worker is not None:
            worker.close()


def compare(path, title, options):
    """One row: medians by engine."""
    import onnx

    from . import networks
    inputs = networks.make_inputs(path, 1)
    output_names = [output.name for output in onnx.load(str(path), load_external_data=False).graph.output]
    names = [name for name in ORDER if name == "rango" or name in options.peers]
    found, failed = {name: [] for name in names}, {}
    for turn in range(options.rounds + 1):
        for name in names:
            if name in failed:
                continue
            value, reason = start(name, path, inputs, output_names, options)
            if reason is not None:
                failed[name] = reason
            elif turn > 0:  # the first converts, and brings the file into the page cache
                found[name].append(value)
    medians = {name: [median([value[i] for value in values]) for i in (0, 1)]
               for name, values in found.items() if values}
    return {"network": title, "file_bytes": path.stat().st_size, "startup": medians, "failed": failed}


def run(options, title):
    print(NOTE.format(clock=options.clock, rounds=options.rounds, threads=options.threads[0]))
    names = [name for name in ORDER if name == "rango" or name in options.peers]
    print(f"{'network':<22}{'file':>8}" + "".join(f"{TITLES[name]:>17}" for name in names))
    rows = []
    for path in options.models:
        row = compare(path, title(path), options)
        rows.append(row)
        cells = [f"{time_text(row['startup'][name][0])} ms {row['startup'][name][1] / 1e6:.1f} MB"
                 if name in row["startup"] else "-" for name in names]
        print(f"{row['network']:<22}{row['file_bytes'] / 1e6:>5.1f} MB" + "".join(f"{cell:>17}" for cell in cells)
              + behind(row["startup"]), flush=True)
        for name, reason in row["failed"].items():
            print(f"    {TITLES[name]}: {reason}", flush=True)
    return rows


def behind(startup):
    """Which peers are ahead of Rango, and in what."""
    if "rango" not in startup:
        return ""
    ahead = [f"{TITLES[name]} {what}" for name, values in startup.items() for i, what in ((0, "faster"), (1, "smaller"))
             if values[i] < startup["rango"][i]]
    return "  " + ", ".join(ahead) if ahead else ""
