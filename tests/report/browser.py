"""browser.py RANGO GLYPHS TEST_PAGE SOURCE OUT: the reports as headless Chromium shows them.

A page made by hand with hostile names, and those of a real compression and inspection, are opened; the DOM after all
scripts ran is held against the tool's --json. Screenshots stay in OUT. Without Chromium the test is skipped.
"""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

CLICKS = "<script>document.querySelectorAll('#layers th')[%d].querySelector('button').click()</script>"
LAYER, RANK, PARAMS = 1, 5, 8  # columns of the table
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Elements as (tag, attributes, text within)."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        element = [tag, dict(attributes), ""]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1][0] if self.open else None}"
        self.open.pop()

    def handle_startendtag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_data(self, text):
        for element in self.open:
            element[2] += text

    def all(self, tag, style=None):
        return [e for e in self.elements if e[0] == tag and (style is None or style in e[1].get("class", "").split())]

    def text_of(self, name):
        return next(e[2] for e in self.elements if e[1].get("id") == name)

    def column(self, index):
        """Cells of the layers' table, from its body, top to bottom."""
        rows, cells, inside = [], [], False
        for tag, _, text in self.elements:
            if tag in ("tbody", "tfoot"):
                inside = tag == "tbody"
            if tag == "tr" and inside:
                cells = []
                rows.append(cells)
            if tag == "td" and inside:
                cells.append(text)
        return [row[index] for row in rows]


class Browser:
    def __init__(self, folder):
        self.folder = folder
        names = ("chromium", "chromium-browser", "google-chrome")
        self.program = next((path for path in map(shutil.which, names) if path), None)

    def run(self, path, *options):
        command = [self.program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--hide-scrollbars", f"--user-data-dir={self.folder}/profile", "--virtual-time-budget=2000"]
        result = subprocess.run([*command, *options, f"file://{path}"], capture_output=True, timeout=120, check=True)
        return result.stdout.decode()

    def dom(self, path, script=""):
        """After its scripts ran, and `script` behind them."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        copy = f"{self.folder}/copy.html"
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text.replace("</body>", script + "</body>"))
        return Page(self.run(copy, "--dump-dom"))

    def screenshot(self, path, to, height, *options):
        self.run(path, f"--window-size=1200,{height}", f"--screenshot={to}", *options)
        assert os.path.getsize(to) > 20000, to


def check_alone(path):
    """Nothing that a browser would fetch."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    assert os.path.getsize(path) < 2 << 20, os.path.getsize(path)
    for tag, attributes, _ in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "a", "form"), tag
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")), (tag, value)
    assert len(page.all("script")) == 1 and "url(" not in text and "@import" not in text
    used = {e[1]["href"] for e in page.all("use")}
    defined = {"#" + e[1]["id"] for e in page.all("g") if "id" in e[1]}
    assert used == defined, used ^ defined
    for svg in page.all("svg"):
        assert svg[1].get("aria-hidden") or svg[1].get("aria-label"), svg


def check_hostile(browser, path, out):
    check_alone(path)
    page = browser.dom(path)
    assert page.all("title")[0][2] == "A smaller network", "a name in the model ran as a script"
    assert page.column(LAYER)[0].startswith("<script>document.title='broken'</script>\"'&")
    assert len(page.all("figure", "spectrum")) == 3
    assert len(page.all("circle", "ring")) == 4
    assert "recurrent weights" in page.text_of("left") and "[1, 32, 8]" in page.text_of("left")
    browser.screenshot(path, f"{out}/report-by-hand.png", 2800)


def numbers(text):
    return [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]


def check_sorting(browser, path, facts):
    names = [layer["name"] for layer in facts["layers"]]
    params = [layer["params_after"] for layer in facts["layers"]]
    assert browser.dom(path).column(LAYER) == names
    down = browser.dom(path, CLICKS % PARAMS)
    assert down.column(LAYER) == [names[i] for i in sorted(range(len(names)), key=lambda i: -params[i])]
    heads = down.all("th")
    assert [h[1]["aria-sort"] for h in heads].count("descending") == 1 and heads[PARAMS][1]["aria-sort"] == "descending"
    assert browser.dom(path, CLICKS % PARAMS * 2).column(LAYER) == down.column(LAYER)[::-1]
    assert browser.dom(path, CLICKS % LAYER).column(LAYER) == sorted(names)
    assert browser.dom(path, CLICKS % LAYER * 2).column(LAYER) == sorted(names)[::-1]


def check_compression(browser, path, facts, out):
    check_alone(path)
    page, layers = browser.dom(path), facts["layers"]
    gains = page.text_of("gains")
    for what in ("params", "macs", "bytes"):
        left = facts[f"{what}_after"] / facts[f"{what}_before"]
        assert f"−{100 * (1 - left):.1f} %" in gains, (what, gains)
    assert f"{facts['metric_after']:.2f} %" in gains and f"{facts['metric_before']:.2f} %" in gains
    assert f"{facts['ms_before'] / facts['ms_after']:.2f} ×" in gains
    checks = page.text_of("checks")
    assert f"{facts['calib_rows']} calibration rows" in checks and f"{facts['rows']} validation rows" in checks
    assert facts["command"] in page.text_of("repeat") and "--report" in facts["command"]
    ranks = [", ".join(map(str, layer["ranks"])) or "–" for layer in layers]
    assert page.column(RANK) == ranks, (page.column(RANK), ranks)
    captions = [e[2] for e in page.all("figcaption")]
    for layer in layers:
        portrait = layer["portrait"]
        assert any(f"99 %: {portrait['pca99']}" in c and f"of {portrait['dimension']}" in c for c in captions)
        assert abs(sum(portrait["shares"]) - 1) < 1e-6
    assert len(page.all("figure", "spectrum")) == len(layers) + 1
    assert len(page.all("figure", "pat")) >= 6 + 6 + 2 * (len(layers) - 1)  # the data, the first layer, the others
    shown = {e[1]["href"] for e in page.all("use")}
    for sample in facts["data"]["directions"][0]["samples"]:
        assert f"#row{sample['row']}" in shown, sample
    measured = [p for p in facts["curve"] if p["metric"] is not None]
    if facts["curve"]:
        assert sum(p["chosen"] for p in facts["curve"]) == 1
        assert len(page.all("path", "b")) >= len(measured)
    check_sorting(browser, path, facts)
    browser.screenshot(path, f"{out}/report-compress.png", 4200)
    browser.screenshot(path, f"{out}/report-compress-dark.png", 4200, "--blink-settings=preferredColorScheme=0")
    browser.run(path, f"--print-to-pdf={out}/report-compress.pdf")


def check_inspection(browser, path, facts, out):
    check_alone(path)
    page, spectra = browser.dom(path), facts["spectra"]
    rows = [spectra["input"], *spectra["layers"]]
    assert [int(x) for x in page.column(4)] == [row["dimension"] for row in rows]
    assert [int(x) for x in page.column(6)] == [row["pca99"] for row in rows]
    assert [numbers(x)[0] for x in page.column(8)] == [float(f"{row['two_nn']:.1f}") for row in rows]
    browser.screenshot(path, f"{out}/report-inspect.png", 3600)


def check_samples(browser, path, facts, out):
    check_alone(path)
    page, spectrum, projection = browser.dom(path), facts["spectrum"], facts["projection"]
    cards = page.text_of("samples")
    for number in (spectrum["rows"], spectrum["dimension"], spectrum["pca99"], spectrum["whitney_linear"]):
        assert str(number) in cards, (number, cards)
    assert f"{spectrum['intrinsic']['value']:.1f}" in cards
    names = list(spectrum["estimates"])
    assert len(names) == 7
    estimates = [spectrum["estimates"][name] for name in names]
    for column, what in ((1, "value"), (2, "low"), (3, "high")):
        shown = [numbers(cell) for cell in page.column(column)]
        assert shown == [[] if e[what] is None else [float(f"{e[what]:.2f}")] for e in estimates], what
    labels = [e[1].get("aria-label", "") for e in page.all("svg")]
    known = sum(e["value"] is not None for e in estimates)
    assert "Intrinsic dimension by 7 estimators, with 95 % intervals" in labels
    curves = [label for label in labels if re.search(r" from \d+ numbers of samples, with 95 % intervals", label)]
    assert len(curves) == 7 and len(page.all("figure", "decimation")) == 7
    depth = len(spectrum["decimation"])
    assert depth == 2 and spectrum["decimation"][1]["low"]["mle"] < spectrum["decimation"][1]["mle"]
    assert sum(int(numbers(label)[0]) for label in curves) == sum(
        level[name] is not None for level in spectrum["decimation"] for name in names
    )
    whiskers = [e for e in page.all("path", "rule") if "h80" in e[1]["d"]]
    assert len(whiskers) == known, (len(whiskers), known)
    spectra = [label for label in labels if label.startswith("Spectrum of the data: ")]
    assert len(spectra) == 1 and numbers(spectra[0])[:2] == [spectrum["pca99"], spectrum["dimension"]]
    assert len(page.all("path", "dash")) == 1 and len(page.all("path", "dot")) == 1  # 99 %, 2m+1
    assert f"2m+1: {spectrum['whitney_linear']}" in page.text_of("spectrum")
    dots = page.all("path", "dots")
    assert len(dots) == 1 and dots[0][1]["d"].count("M") == spectrum["rows"]
    text = page.text_of("projection")
    assert f"The first two of {projection['coordinates']} coordinates" in text
    assert f"{projection['kappa']:.3f}" in text and f"{projection['trustworthiness']:.3f}" in text
    assert f"Shortest secant over {len(projection['profile'])} numbers of coordinates" in labels
    assert len(page.all("figure", "pat")) == len(spectrum["directions"]) == 6
    shown = {e[1]["href"] for e in page.all("use")}
    assert shown == {f"#row{s['row']}" for d in spectrum["directions"] for s in d["samples"]}
    assert facts["command"] in page.text_of("repeat") and "--report" in facts["command"]
    browser.screenshot(path, f"{out}/report-manifold.png", 3300)


def tool(rango, *arguments):
    return json.loads(subprocess.run([rango, *arguments, "--json"], capture_output=True, check=True).stdout)


def main(rango, glyphs, test_page, source, out):
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(folder)
        if not browser.program:
            print("SKIP: no chromium")
            return 77
        subprocess.run([test_page, f"{folder}/hand.html"], check=True)
        check_hostile(browser, f"{folder}/hand.html", out)
        model = f"{source}/models/glyphs.onnx"
        for name, rows, seed in (("calib", "200", "2"), ("val", "64", "3")):
            data = [f"{folder}/{name}.npy", "--labels", f"{folder}/{name}_y.npy"]
            subprocess.run([glyphs, "--count", rows, "--seed", seed, "-o", *data], check=True)
        calib = ["--calib", f"{folder}/calib.npy", "--report"]
        val = ["--val", f"{folder}/val.npy", "--labels", f"{folder}/val_y.npy", "--cut-params", "50"]
        made = tool(rango, "compress", model, "-o", f"{folder}/it's.onnx", *calib, f"{folder}/made.html", *val)
        check_compression(browser, f"{folder}/made.html", made, out)
        samples = [f"{folder}/calib.npy", "--project", "3", "--report", f"{folder}/samples.html"]
        check_samples(browser, f"{folder}/samples.html", tool(rango, "manifold", *samples), out)
        check_inspection(browser, f"{folder}/seen.html", tool(rango, "inspect", model, *calib, f"{folder}/seen.html"), out)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
