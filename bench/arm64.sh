#!/bin/sh
# What can be said of the ARM64 kernels without ARM64 hardware (Debian, x86-64):
#
#   bench/arm64.sh loops                     instructions for each FMLA of the inner loops, and how far LLVM's models of two cores
#                                            say that they fill the FMA pipes (the newest llvm-mca here: apt-get install llvm-19)
#   bench/arm64.sh instructions [MODEL...]   instructions executed for one inference at batch 1, counted by qemu: plain C
#                                            (the scalar row of `rango bench`), NEON, and ONNX Runtime's ARM64 wheel from PyPI
#                                            (models: ../shared/zoo/*/model.onnx, the smallest first)
set -eu
cd "$(dirname "$0")/.."
what=${1:-}
case $what in loops | instructions) shift ;; *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac

python=build/venv/bin/python
work=build/arm64-bench
[ -x $python ] || { echo "bench/arm64.sh: first tools/bootstrap ci" >&2; exit 1; }
tools/arm64-sysroot
tools/build arm64 rango-static
mkdir -p $work

if [ "$what" = loops ]; then
  mca=$(find /usr/bin -name 'llvm-mca*' | sort -V | tail -n 1)
  [ -n "$mca" ] || { echo "bench/arm64.sh: no llvm-mca: apt-get install llvm-19" >&2; exit 1; }
  exec $python bench/arm64/loops.py "$mca" build/arm64/CMakeFiles/rango-core.dir/src/kernels/neon
fi

cc -O2 -shared -fPIC -o $work/count_instructions.so bench/arm64/count_instructions.c
sysroot=build/arm64-sysroot
aarch64-linux-gnu-gcc -O2 -Iinclude bench/arm64/runs.c -o $work/runs build/arm64/librango.a \
  -L$sysroot/usr/lib/aarch64-linux-gnu -lpthread -lm

# A root of its own for the other engine: Debian's Python for ARM64 and the wheel.
if [ ! -e $work/root/.done ]; then
  echo "fetching Python and ONNX Runtime for ARM64 into $work/root" >&2
  rm -rf $work/root
  mkdir -p $work/root/archives $work/root/proc
  (cd $work/root/archives && apt-get -qq -o APT::Sandbox::User=root download libc6:arm64 libgcc-s1:arm64 libstdc++6:arm64 \
    zlib1g:arm64 libexpat1:arm64 libffi8:arm64 libbz2-1.0:arm64 liblzma5:arm64 libcrypt1:arm64 libssl3:arm64 libuuid1:arm64 \
    python3.11-minimal:arm64 libpython3.11-minimal:arm64 libpython3.11-stdlib:arm64)
  for archive in $work/root/archives/*.deb; do dpkg-deb -x "$archive" $work/root; done
  rm -rf $work/root/archives
  build/venv/bin/pip install -q --disable-pip-version-check --no-deps --target $work/root/packages --only-binary=:all: \
    --python-version 3.11 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 numpy onnxruntime
  cat >$work/root/proc/cpuinfo <<'CPU'
processor	: 0
BogoMIPS	: 50.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1
CPU
  touch $work/root/.done
fi
[ $# -gt 0 ] || set -- $(ls -Sr ../shared/zoo/*/model.onnx)
exec nice $python bench/arm64/instructions.py $work $sysroot "$@"
