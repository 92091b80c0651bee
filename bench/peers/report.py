"""What is printed and drawn."""
from .statistics import geometric_mean

ORDER = ["rango", "ort", "openvino", "ncnn", "mnn", "ort-int8"]
TITLES = {"rango": "Rango", "ort": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "mnn": "MNN",
          "ort-int8": "(ORT int8)"}
NEEDED = 0.95  # a row whose whole interval lies under this is behind


def time_text(seconds):
    """Milliseconds with three digits."""
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def engines(options):
    return [name for name in ORDER if name == "rango" or name in options.peers]


def print_head(options, doors):
    print(f"Milliseconds ({options.clock} clock), medians of {options.rounds} interleaved rounds, float32 everywhere.\n"
          "ncnn has no batch: a loop over rows; its networks start after the inputs' cast to float. Shares of the\n"
          "peak count a network's own multiply-adds: Winograd's method, which needs fewer, can go beyond.")
    if options.int8:
        print("(ORT int8) is ONNX Runtime's static quantisation: other arithmetic, so never counted as a peer.")
    print("A call's own cost (Relu of one number): "
          + ", ".join(f"{TITLES[name]} {1e6 * doors[name]:.1f} us" for name in engines(options) if name in doors))
    print(f"{'network':<22}{'b':>3} {'t':>2} " + "".join(f"{TITLES[name]:>13}" for name in engines(options))
          + f"{'of peak':>9}  best peer / Rango [95 %]")


def print_row(row, options):
    cells = "".join(f"{time_text(row['seconds'][name]) if name in row['seconds'] else '-':>13}"
                    for name in engines(options))
    print(f"{row['network']:<22}{row['batch']:>3} {row['threads']:>2} {cells}{share_text(row):>9}  {ratio_text(row)}",
          flush=True)
    for name, reason in row["failed"].items():
        print(f"    {TITLES[name]}: {reason}", flush=True)
    if "int8" in row:
        print("    " + int8_text(row), flush=True)


def int8_text(row):
    """What quantisation gains and costs."""
    was, now = row["int8"]["file_bytes"]
    parts = [f"int8, other arithmetic: {was / 1e6:.2f} -> {now / 1e6:.2f} MB",
             f"largest deviation of these outputs {row['errors']['ort-int8']:.2g}"]
    if "score" in row["int8"]:
        parts.append("score {:.4g} -> {:.4g}".format(*row["int8"]["score"]))
    return ", ".join(parts)


def share_text(row):
    if not row.get("macs") or "rango" not in row["seconds"]:
        return "-"
    return f"{100 * gflops(row, 'rango') / row['peak_gflops']:.1f} %"


def ratio_text(row):
    if "ratio" not in row:
        return "-"
    behind = "  BEHIND" if row["high"] < NEEDED else ""
    return f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}] {TITLES[row['best']]}{behind}"


def gflops(row, name):
    return 2e-9 * row["macs"] / row["seconds"][name]


def without_door(row, doors):
    """The best peer's time over ours when a call's own cost is taken off both; None where that is most of the time."""
    best, ours = row["seconds"][row["best"]] - doors[row["best"]], row["seconds"]["rango"] - doors["rango"]
    return best / ours if min(best, ours) > doors[row["best"]] else None


def print_summary(rows, doors):
    compared = [row for row in rows if "ratio" in row]
    if not compared:
        return
    worst = min(compared, key=lambda row: row["ratio"])
    behind = [row for row in compared if row["high"] < NEEDED]
    print(f"\nGeometric mean of best peer / Rango over {len(compared)} rows: "
          f"{geometric_mean([row['ratio'] for row in compared]):.3f}")
    inner = [ratio for ratio in (without_door(row, doors) for row in compared) if ratio is not None]
    if inner:
        print(f"The same without each call's own cost, over the {len(inner)} rows where that is the smaller part: "
              f"{geometric_mean(inner):.3f}")
    print(f"Worst row: {worst['network']}, batch {worst['batch']}, {worst['threads']} threads: {ratio_text(worst)}")
    print(f"Rows whose 95 % interval lies under {NEEDED}: "
          + (", ".join(f"{row['network']} b{row['batch']} t{row['threads']}" for row in behind) or "none"))
    without_us = [row for row in rows if "rango" in row["failed"]]
    if without_us:
        print("Rango failed: " + ", ".join(sorted({row["network"] for row in without_us})))


def plot(rows, path):
    """A panel for each batch and number of threads: GFLOP/s by network and engine; the top is the peak measured. The
    network's own multiply-adds count, so that Winograd's algorithm may go beyond: such a bar bears its figure."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    counted = [row for row in rows if row.get("macs") and "peak_gflops" in row]
    panels = sorted({(row["batch"], row["threads"]) for row in counted})
    if not panels:
        return
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(12, 3.2 * len(panels)), squeeze=False)
    for axis, (batch, threads) in zip(axes[:, 0], panels):
        draw_panel(axis, [row for row in counted if (row["batch"], row["threads"]) == (batch, threads)],
                   max(row["peak_gflops"] for row in counted if row["threads"] == threads))
        axis.set_title(f"batch {batch}, {threads} thread{'s' if threads > 1 else ''}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path)


def draw_panel(axis, rows, peak):
    names = [name for name in ORDER if any(name in row["seconds"] for row in rows)]
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        points = [(i + (k - 0.5 * (len(names) - 1)) * width, gflops(row, name))
                  for i, row in enumerate(rows) if name in row["seconds"]]
        axis.bar([x for x, _ in points], [y for _, y in points], width, label=TITLES[name])
        for x, y in points:
            if y > peak:
                axis.text(x, peak, f"{y:.0f}", ha="center", va="top", fontsize=6, rotation=90, color="white")
    axis.set_ylim(0, peak)
    axis.set_ylabel(f"GFLOP/s (top: peak, {peak:.0f})", fontsize=8)
    axis.set_xticks(range(len(rows)), [row["network"] for row in rows], rotation=30, ha="right", fontsize=8)
    axis.legend(fontsize=7, ncols=len(names), loc="upper right", bbox_to_anchor=(1, 1.17), frameon=False)
