"""The inner loops of the NEON matrix products, as they were built: instructions for each FMLA, loads and stores on the stack
(spills), and the share of a core's FMA pipes that they fill according to llvm-mca. Called by bench/arm64.sh.

    loops.py LLVM_MCA OBJECT_FOLDER
"""
import re
import subprocess
import sys

CORES = {"neoverse-n1": 2, "neoverse-v2": 4}  # FMA pipes of 128 bits
LOOPS = [("8 rows x 8 columns, assembly", "gemm_tile.S.o", "rg_neon_gemm_tile"),
         ("1 row x 8 columns, assembly", "gemm_tile.S.o", "rg_neon_gemm_row")]
LOOPS += [(f"{rows} row{'s' if rows > 1 else ''} x {columns} columns, intrinsics", "gemm.c.o", f"tiles_{name}_{rows}")
          for columns, name in ((8, "whole"), (4, "half")) for rows in range(8, 0, -1)]
ITERATIONS = 200


def instructions(path, function):
    """(address, text) of a function's instructions."""
    text = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", path],
                          capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^ *([0-9a-f]+):\t(.*?)(?:\s*//.*)?$", text, re.M)
    return [(int(address, 16), line.strip()) for address, line in found]


def hottest_loop(path, function):
    """The smallest loop among those with the most FMLA of any that holds no other loop with FMLA."""
    code, loops = instructions(path, function), []
    for address, line in code:
        branch = re.match(r"(?:b\.\w+|cbn?z|tbn?z|b)\s+(?:.*,\s*)?([0-9a-f]+) <", line)
        if branch and int(branch[1], 16) <= address:
            loops.append([entry for entry in code if int(branch[1], 16) <= entry[0] <= address])
    loops = [loop for loop in loops if fmla(loop)]
    inner = [loop for loop in loops
             if not any(other is not loop and loop[0][0] <= other[0][0] and other[-1][0] <= loop[-1][0] for other in loops)]
    return max(inner, key=lambda loop: (fmla(loop), -len(loop)))


def fmla(loop):
    return sum(line.startswith("fmla") for _, line in loop)


def cycles(mca, core, loop):
    source = "top:\n" + "\n".join(re.sub(r"[0-9a-f]+ <.*", "top", line) for _, line in loop) + "\n"
    report = subprocess.run([mca, "-mtriple=aarch64", f"-mcpu={core}", f"-iterations={ITERATIONS}"], input=source,
                            capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles: +(\d+)", report)[1]) / ITERATIONS


def main():
    mca, folder = sys.argv[1:]
    version = re.search(r"LLVM version (\S+)", subprocess.run([mca, "--version"], capture_output=True, text=True).stdout)
    print(f"llvm-mca {version[1]}\n\n| inner loop | instructions | FMLA | an FMLA | spills | "
          + " | ".join(f"{core}: FMA pipes" for core in CORES) + " |\n|---|---|---|---|---|" + "---|" * len(CORES))
    for title, name, function in LOOPS:
        loop = hottest_loop(f"{folder}/{name}", function)
        spills = sum("[sp" in line for _, line in loop)
        shares = [100.0 * fmla(loop) / (pipes * cycles(mca, core, loop)) for core, pipes in CORES.items()]
        print(f"| {title} | {len(loop)} | {fmla(loop)} | {len(loop) / fmla(loop):.2f} | {spills} | "
              + " | ".join(f"{share:.1f} %" for share in shares) + " |")


main()
