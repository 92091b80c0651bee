#!/bin/sh
# Damaged models through every subcommand that reads one: no crash (the sanitizers' build makes crashes of silent errors), and
# every failure names the file. hostile.sh RANGO GLYPHS DAMAGE MODEL KIND [ROUNDS]
#
# models/glyphs.onnx is cut short at ROUNDS random places and has a random byte changed ROUNDS times. Most bytes are weights,
# with which any value is a valid model, so models/tiny.onnx has ROUNDS bytes changed near its names besides.
set -u
source=${RANGO_SOURCE_DIR:-$(dirname "$0")/../..}
rango=$1 glyphs=$2 damage=$3 rounds=${6:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
failures=0 runs=0 refused=0
"$glyphs" --count 8 --seed 2 -o x.npy --labels y.npy || exit 1
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# try WORDS...: rango WORDS must end by itself, with 0, or with 1 and a message that begins with the file's name.
try() {
  runs=$((runs + 1))
  timeout 120 "$rango" "$@" >out 2>err </dev/null
  code=$?
  case $code in
  0) return ;;
  1) refused=$((refused + 1)) && grep -q "^rango: .*bad\.onnx" err && ! grep -q "Sanitizer\|runtime error" err && return ;;
  esac
  failures=$((failures + 1))
  echo "FAILED ($kind of $model, seed $seed): rango $* -> $code"
  head -n 12 err
}

quick() {
  try inspect bad.onnx
  try run bad.onnx --input x.npy --batch 2 --threads 1
  try eval bad.onnx --input x.npy --labels y.npy --threads 1
  try bench bad.onnx --rows simd --rounds 1 --threads 1
}

slow() {
  try inspect bad.onnx --calib x.npy --threads 1
  try compress bad.onnx -o small.onnx --calib x.npy --cut-params 20 --threads 1
}

# each MODEL KIND: rounds of damage; cut models are refused at once by everything, the others may be as good as whole.
each() {
  model=$1 kind=$2 seed=1
  while [ $seed -le "$rounds" ]; do
    "$damage" "$source/models/$model" bad.onnx "$kind" $seed || exit 1
    quick
    if [ "$kind" != flip ]; then slow; fi
    seed=$((seed + 1))
  done
}

each "$4" "$5"
echo "$runs runs, $refused refused, $failures failures"
[ $failures = 0 ]
