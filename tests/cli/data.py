#!/usr/bin/env python3
"""Folders of images and .csv files through the tool, against Pillow and NumPy: data.py RANGO. A model that hands its input back
shows what was read, byte by byte. Needs the Python packages numpy, onnx and PIL (Pillow)."""
import io
import os
import shlex
import struct
import subprocess
import sys
import tempfile
import zlib

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper
    from PIL import Image, ImageOps
except ImportError as error:
    print(f"SKIP: the Python package {error.name} is missing")
    sys.exit(77)

RANGO = shlex.split(os.environ.get("RANGO_EMULATOR", "")) + [os.path.abspath(sys.argv[1])]
random = np.random.default_rng(7)
failures, checks = [], 0


def rango(*words):
    done = subprocess.run(RANGO + list(words), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    return done.returncode, done.stdout, done.stderr


def check(what, good, seen=""):
    global checks
    checks += 1
    if not good:
        failures.append(what)
        print(f"FAILED: {what}: {seen}")


def refuses(what, code, words, *command):
    got, out, err = rango(*command)
    check(f"refuses {what}", got == code and all(w in err for w in words) and "Sanitizer" not in err, (got, out, err))


def save_model(path, kind, shape):
    """Hands its input back."""
    x = helper.make_tensor_value_info("x", kind, shape)
    y = helper.make_tensor_value_info("y", kind, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def read(model, data, *options):
    code, out, err = rango("run", model, "--input", data, "--output", "got.npy", *options)
    if code != 0:
        return f"exit code {code}: {err}"
    return np.load("got.npy")


def same(what, got, wanted):
    good = isinstance(got, np.ndarray) and got.dtype == wanted.dtype and got.shape == wanted.shape and np.array_equal(got, wanted)
    seen = got if isinstance(got, str) else (got.shape, got.dtype, wanted.shape, wanted.dtype)
    if isinstance(got, np.ndarray) and got.shape == wanted.shape and not good:
        seen = f"differs by up to {np.abs(got.astype(float) - wanted.astype(float)).max()}"
    check(what, good, seen)


def nchw(images):
    stacked = np.stack([np.asarray(i) for i in images])
    return stacked[:, None] if stacked.ndim == 3 else stacked.transpose(0, 3, 1, 2).copy()


def picture(width, height, mode="RGB"):
    """Smooth, with edges and noise, so that every step of a filter shows."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 80 * np.sin(x / 9 + c) * np.cos(y / (5 + c)) + 40 * ((x // 16 + y // 8) % 2) + random.normal(0, 9, x.shape)
              for c in range(3)]
    rgb = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return Image.fromarray(rgb).convert(mode)


def folder(name, files):
    for path, content in files.items():
        path = os.path.join(name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(content, bytes):
            with open(path, "wb") as file:
                file.write(content)
        else:
            content.save(path)
    return name


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# ---- PNG by hand, for what Pillow doesn't write ----

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, raw, interlace=0, extra=b""):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)) + extra +
            chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def adam7(pixels):
    """[h, w, c] bytes in the seven passes of an interlaced PNG."""
    raw = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = pixels[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)
    return raw


# ---- images ----

def formats():
    rgb, grey = picture(37, 29), picture(37, 29, "L")
    deep = random.integers(0, 65536, (29, 37), dtype=np.uint16)
    deep_raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    clear = rgb.copy()
    clear.putalpha(grey)
    files = {
        "a.png": encoded(rgb, "PNG"), "b.png": encoded(grey, "PNG"), "c.png": encoded(rgb.quantize(50), "PNG"),
        "d.png": encoded(clear, "PNG"), "e.png": encoded(grey.convert("1"), "PNG"),
        "f.png": encoded(rgb.quantize(13), "PNG", bits=4, transparency=3), "g.png": encoded(clear.convert("LA"), "PNG"),
        "h.JPG": encoded(rgb, "JPEG", quality=85), "i.jpeg": encoded(rgb, "JPEG", progressive=True, subsampling=2),
        "j.jpg": encoded(grey, "JPEG"), "k.jpg": encoded(rgb.convert("CMYK"), "JPEG", quality=95),
        "l.png": encoded(rgb, "JPEG"),
    }
    folder("formats", {**files, "README.txt": b"left out", ".hidden.png": b"left out"})
    opened = [Image.open(io.BytesIO(files[name])) for name in sorted(files)]
    coloured = [i.convert("RGB") for i in opened]
    ink = 255 - np.asarray(opened[10]).astype(int)  # inverted CMYK, multiplied out; Pillow rounds twice and may be one off
    coloured[10] = Image.fromarray(((ink[..., :3] * ink[..., 3:] + 127) // 255).astype(np.uint8))
    same("RGB of every format", read("rgb8.onnx", "formats"), nchw(coloured))
    same("grey of every format", read("grey8.onnx", "formats"), nchw([i.convert("L") for i in coloured]))
    pixels = np.asarray(rgb)
    odd = folder("odd", {"a.png": png(37, 29, 16, 0, deep_raw), "b.png": png(37, 29, 8, 2, adam7(pixels), interlace=1)})
    wanted = np.stack([np.repeat(((deep.astype(np.int64) * 255 + 32767) // 65535).astype(np.uint8)[None], 3, 0),
                       pixels.transpose(2, 0, 1)])
    same("16 bits and interlaced", read("rgb8.onnx", odd), wanted)


def orientations():
    files = {}
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        files[f"{turn}.jpg"] = encoded(picture(24, 24), "JPEG", exif=exif.tobytes())
        files[f"{turn}.png"] = encoded(picture(24, 24), "PNG", exif=exif.tobytes())
    folder("turned", files)
    wanted = [ImageOps.exif_transpose(Image.open(io.BytesIO(files[name]))) for name in sorted(files)]
    same("EXIF orientations", read("rgb8.onnx", "turned"), nchw(wanted))
    tall = folder("tall", {"a.jpg": encoded(picture(40, 20), "JPEG", exif=exif.tobytes())})
    same("a turned image's sizes", read("rgb8.onnx", tall), nchw([ImageOps.exif_transpose(Image.open("tall/a.jpg"))]))


def resized(image, width, height):
    """Rows first: newer versions of Pillow choose the order of the two passes by the sizes."""
    return image.resize((width, image.height), Image.BILINEAR).resize((width, height), Image.BILINEAR)


def centre(image, width, height):
    """torchvision's center_crop."""
    left, top = int(round((image.width - width) / 2.0)), int(round((image.height - height) / 2.0))
    return image.crop((left, top, left + width, top + height))


def sizes():
    images = [picture(61, 47), picture(48, 90), picture(200, 33), picture(12, 12)]
    folder("sizes", {f"{i}.png": image for i, image in enumerate(images)})
    for h, w in ((32, 32), (17, 90), (100, 40), (1, 1), (47, 61)):
        wanted = [resized(i, w, h) for i in images]
        same(f"--resize {h}x{w}", read("rgb8.onnx", "sizes", "--resize", f"{h}x{w}"), nchw(wanted))
    for n, crop in ((40, (32, 32)), (33, (33, 20)), (31, (24, 31)), (64, (63, 63))):
        wanted = []
        for i in images:
            short = min(i.size)
            wanted.append(centre(resized(i, n * i.width // short, n * i.height // short), crop[1], crop[0]))
        same(f"--resize {n} --crop {crop}", read("rgb8.onnx", "sizes", "--resize", str(n), "--crop", f"{crop[0]}x{crop[1]}"), nchw(wanted))
    same("grey --crop 12", read("grey8.onnx", "sizes", "--crop", "12"), nchw([centre(i.convert("L"), 12, 12) for i in images]))
    same("one file", read("rgb8.onnx", "sizes/1.png"), nchw(images[1:2]))
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    small = np.stack([np.asarray(resized(i, 9, 8)) for i in images]).astype(np.float32) / np.float32(255)
    wanted = ((small - mean) / std).astype(np.float32)
    options = ("--resize", "8x9", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
    same("0 to 1", read("rgb32.onnx", "sizes", "--resize", "8x9"), small.transpose(0, 3, 1, 2).copy())
    same("--mean, --std, nchw", read("rgb32.onnx", "sizes", *options), wanted.transpose(0, 3, 1, 2).copy())
    same("nhwc by the input's shape", read("last32.onnx", "sizes", *options), wanted)
    same("--layout nhwc", read("any32.onnx", "sizes", "--layout", "nhwc", *options), wanted)
    same("--mean of one number", read("rgb32.onnx", "sizes", "--resize", "8x9", "--mean", "0.5"),
         (small - np.float32(0.5)).transpose(0, 3, 1, 2).copy())
    refuses("sizes that differ", 1, ["sizes/1.png: 48 x 90", "61 x 47", "--resize"], "run", "rgb8.onnx", "--input", "sizes")
    refuses("a size the model doesn't take", 1, ["61 x 47", "8 x 8"], "run", "fixed8.onnx", "--input", "sizes")
    refuses("a crop larger than the image", 1, ["sizes/0.png", "--crop"], "run", "rgb8.onnx", "--input", "sizes", "--crop", "50")
    refuses("--std 0", 2, ["--std"], "run", "rgb32.onnx", "--input", "sizes", "--std", "0")
    refuses("a size that is none", 2, ["--resize"], "run", "rgb8.onnx", "--input", "sizes", "--resize", "8x")
    refuses("--mean for bytes", 1, ["--mean"], "run", "rgb8.onnx", "--input", "sizes", "--mean", "0.5", "--resize", "8x8")
    refuses("--resize without images", 2, ["--resize"], "run", "rgb8.onnx", "--input", "x.npy", "--resize", "8")


def hostile():
    rgb = picture(64, 64)
    jpeg, whole = encoded(rgb, "JPEG", quality=95), encoded(rgb, "PNG")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x40
    bad = {
        "short.jpg": jpeg[:len(jpeg) // 2], "stub.jpg": jpeg[:300], "short.png": whole[:len(whole) // 2], "stub.png": whole[:20],
        "flipped.png": bytes(flipped), "empty.png": b"", "text.jpg": b"no image at all",
        "bomb.png": png(60000, 60000, 8, 2, b"\0" * 1000), "wide.png": png(4_000_000, 1, 8, 0, b"\0"),
        "missing.png": png(64, 64, 8, 2, b"\0" * 100),
    }
    marker = jpeg.index(b"\xff\xc0")
    bad["bomb.jpg"] = jpeg[:marker + 5] + struct.pack(">HH", 65000, 65000) + jpeg[marker + 9:]
    for name, content in bad.items():
        path = folder(f"bad-{name}", {"a/" + name: content}) + "/a/" + name
        refuses(name, 1, [path], "run", "rgb8.onnx", "--input", f"bad-{name}")
    flips = [bytearray(source) for source in (jpeg, whole) for _ in range(60)]
    for i, content in enumerate(flips):  # anything but a crash
        content[random.integers(8, len(content))] ^= 1 << random.integers(8)
        folder("flip", {"a.png": bytes(content)})
        code, _, err = rango("run", "rgb8.onnx", "--input", "flip", "--quiet")
        check(f"flip {i}", code in (0, 1) and (code == 0 or "flip/a.png" in err) and "Sanitizer" not in err, (code, err))


def classes():
    names = ["10", "9", "bird", "Ant"]
    files = {f"{name}/{i}.png": Image.new("L", (8, 8), 10 * k + i) for k, name in enumerate(names) for i in range(3)}
    folder("classes", {**files, "README.md": b"left out"})
    wanted = np.array([10 * names.index(n) + i for n in sorted(names) for i in range(3)], np.uint8)
    got = read("grey8.onnx", "classes")
    same("classes in sorted order", got[:, 0, 0, 0], wanted)
    os.makedirs("nothing/sub", exist_ok=True)
    refuses("an empty folder", 1, ["nothing", "no PNG or JPEG"], "run", "rgb8.onnx", "--input", "nothing")
    folder("mixed", {"a/x.png": picture(8, 8), "y.png": picture(8, 8)})
    refuses("images beside folders", 1, ["mixed", "both"], "run", "rgb8.onnx", "--input", "mixed")
    folder("deep", {"a/b/x.png": picture(8, 8)})
    refuses("a folder in a class", 1, ["deep/a/b"], "run", "rgb8.onnx", "--input", "deep")
    folder("others", {"a/x.png": picture(8, 8), "a/y.webp": b"RIFF"})
    refuses("another format", 1, ["y.webp"], "run", "rgb8.onnx", "--input", "others")
    # Scores are the first pixels: the class that each image has is the place of its brightest one.
    for k, name in enumerate(sorted("abc")):
        for i in range(4):
            row = np.zeros((1, 3, 1), np.uint8)
            row[0, k if i else (k + 1) % 3] = 200
            folder("scored", {f"{name}/{i}.png": Image.fromarray(row.reshape(1, 3))})
    code, out, err = rango("eval", "scores.onnx", "--input", "scored", "--json")
    check("labels of folders", code == 0 and '"value":\t75,' in out and '"count":\t12' in out, (out, err))
    refuses("a folder without classes", 2, ["no labels"], "eval", "scores.onnx", "--input", "scored/a")


# ---- .csv ----

def text(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def tables():
    wanted = np.float32([[1, 2.5, -3e-2], [4, 5, 6], [.5, 8, 9]])
    for name, content in {
        "plain": "1,2.5,-3e-2\n4,5,6\n.5,8,9\n", "header": "a,b,c\n1,2.5,-3e-2\n4,5,6\n.5,8,9",
        "crlf": "a,b,c\r\n1,2.5,-3e-2\r\n4,5,6\r\n.5,8,9\r\n", "cr": "1,2.5,-3e-2\r4,5,6\r.5,8,9\r",
        "quotes": '"a ""quoted"", name","b\nover lines",c\n"1",2.5,"-3e-2"\n 4 ,"5" ,\t6\n.5,8,9\n',
        "blank lines": "\n\na,b,c\n1,2.5,-3e-2\n\n4,5,6\r\n\r\n.5,8,+9\n\n", "mark": b"\xef\xbb\xbf1,2.5,-3e-2\n4,5,6\n.5,8,9\n",
    }.items():
        same(f"csv: {name}", read("rows32.onnx", text("t.csv", content)), wanted)
    values = random.normal(0, 1, (300, 12)) * 10.0 ** random.integers(-20, 20, (300, 12))
    np.savetxt("np.csv", values, delimiter=",", fmt="%.17g", header="h" + ",h" * 11, comments="")
    same("csv: float64 as NumPy reads it", read("cube64.onnx", "np.csv"), np.loadtxt("np.csv", delimiter=",", skiprows=1).reshape(300, 3, 4))
    same("csv: int64", read("rows64.onnx", text("t.csv", "1,2,9007199254740992\n-3,4,5\n")), np.int64([[1, 2, 2**53], [-3, 4, 5]]))
    same("csv: NAME=FILE", read("rows32.onnx", "x=" + text("t.csv", "1,2,3\n")), np.float32([[1, 2, 3]]))
    os.environ["LC_ALL"] = "de_DE.UTF-8"
    same("csv: another locale", read("rows32.onnx", text("t.csv", "1.5,2,3\n")), np.float32([[1.5, 2, 3]]))
    del os.environ["LC_ALL"]
    for what, content, words in (
        ("a missing value", "a,b,c\n1,2,3\n4,,6\n", ["line 3, column 2", "missing"]), ("NaN", "1,2,3\n4,5,nan\n", ["line 2, column 3", "nan"]),
        ("infinity", "1,2,3\ninf,5,6\n", ["line 2, column 1", "inf"]), ("text", "1,2,3\n4,five,6\n", ["line 2, column 2", "five"]),
        ("hexadecimal", "0x10,2,3\n", ["line 1, column 1", "0x10"]), ("a short line", "1,2,3\n4,5\n", ["line 2", "2 of 3"]),
        ("a long line", "1,2,3\n4,5,6,7\n", ["line 2, column 4"]), ("text in the first line", "1,b,3\n4,5,6\n", ["line 1, column 2", "'b'"]),
        ("an open quote", '1,2,3\n4,"5,6\n', ["line 2, column 2", "quote"]), ("text behind a quote", '1,2,"3"4\n', ["line 1, column 3"]),
        ("zero bytes", b"1,2,3\n4,\0,6\n", ["line 2, column 2", "zero byte"]), ("nothing", "", ["no rows"]), ("a header alone", "a,b,c\n", ["no rows"]),
        ("another number of columns", "1,2\n3,4\n", ["2 columns", "3 numbers"]), ("semicolons", "1;2;3\n4;5;6\n", ["t.csv"]),
        ("too large a number", "1e39,2,3\n", ["line 1, column 1", "float32"]), ("overflow", "1,1e400,3\n", ["line 1, column 2"]),
        ("a long field", "1,2," + "3" * 3000000 + "\n", ["line 1, column 3", "long"]), ("an image", encoded(picture(9, 9), "PNG"), ["t.csv"]),
    ):
        refuses("csv: " + what, 1, ["t.csv"] + words, "run", "rows32.onnx", "--input", text("t.csv", content))
    refuses("csv: a fraction for int64", 1, ["line 1, column 2", "int64"], "run", "rows64.onnx", "--input", text("t.csv", "1,2.5,3\n"))
    refuses("csv: no file", 1, ["gone.csv"], "run", "rows32.onnx", "--input", "gone.csv")


def labels():
    text("l.csv", "kind,a,b,c\n2,0,1,5\n0,9,1,2\n1,3,1,2\n0,7,5,6\n")
    for column, value in (("kind", 75), ("1", 75)):
        code, out, err = rango("eval", "rows32.onnx", "--input", "l.csv", "--label-column", column, "--json")
        check(f"csv: --label-column {column}", code == 0 and f'"value":\t{value},' in out and '"count":\t4' in out, (out, err))
    text("n.csv", "0,1,label,2\n0,1,2,5\n9,1,0,2\n")
    code, out, err = rango("eval", "rows32.onnx", "--input", "n.csv", "--label-column", "label", "--json")
    check("csv: names that are numbers", code == 0 and '"value":\t100,' in out and '"count":\t2' in out, (out, err))
    text("r.csv", "x,y\n3,5\n4,4\n")
    code, out, err = rango("eval", "one32.onnx", "--input", "r.csv", "--label-column", "y", "--json")
    check("csv: targets", code == 0 and '"metric":\t"relative_error"' in out and f'"value":\t{2 / 41 ** .5:.12g}'[:20] in out, (out, err))
    refuses("csv: no such column", 1, ["no labels"], "eval", "one32.onnx", "--input", "r.csv", "--label-column", "nobody")
    refuses("csv: no such column, as many columns", 1, ["nobody"], "eval", "one32.onnx", "--input", text("s.csv", "x\n3\n"), "--label-column",
            "nobody")
    refuses("csv: no such number", 1, ["r.csv", "2 columns"], "eval", "one32.onnx", "--input", "r.csv", "--label-column", "3")
    refuses("csv: no labels", 2, ["no labels"], "eval", "one32.onnx", "--input", "r.csv")
    refuses("--label-column without .csv", 2, ["--label-column"], "run", "one32.onnx", "--input", "x.npy", "--label-column", "y")


def main():
    F, B, I, D = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64, TensorProto.DOUBLE
    save_model("rgb8.onnx", B, ["n", 3, "h", "w"])
    save_model("grey8.onnx", B, ["n", 1, "h", "w"])
    save_model("fixed8.onnx", B, ["n", 3, 8, 8])
    save_model("rgb32.onnx", F, ["n", 3, "h", "w"])
    save_model("last32.onnx", F, ["n", 8, 9, 3])
    save_model("any32.onnx", F, ["n", "a", "b", "c"])
    save_model("scores.onnx", F, ["n", 1, 1, 3])
    save_model("rows32.onnx", F, ["n", 3])
    save_model("rows64.onnx", I, ["n", 3])
    save_model("cube64.onnx", D, ["n", 3, "k"])
    save_model("one32.onnx", F, ["n", 1])
    np.save("x.npy", np.zeros((2, 1), np.float32))
    for part in (formats, orientations, sizes, hostile, classes, tables, labels):
        part()
    print(f"{checks} checks, {len(failures)} failures")
    return bool(failures)


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    failed = main()
    os.chdir("/")
sys.exit(failed)
