#!/bin/sh
# The tool from a user's side, on models/tiny.onnx: cli.sh RANGO GLYPHS JSON_HAS WRITE_IMAGES
set -u
source=${RANGO_SOURCE_DIR:-$(dirname "$0")/../..}
emulator=${RANGO_EMULATOR:-}
rango="$emulator $1" glyphs="$emulator $2" json_has="$emulator $3" write_images="$emulator $4"
tiny=$source/models/tiny.onnx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
failures=0 checks=0

fail() {
  failures=$((failures + 1))
  echo "FAILED: $*"
  sed 's/^/  out: /' out | head -n 5
  sed 's/^/  err: /' err | head -n 5
}

# expect CODE WORDS COMMAND...: the exit code, and the words on stdout or stderr ("" for none).
expect() {
  code=$1 words=$2
  shift 2
  checks=$((checks + 1))
  # shellcheck disable=SC2086 # the emulator is several words
  $rango "$@" >out 2>err </dev/null
  found=$?
  [ $found = "$code" ] || { fail "rango $*: exit code $found, expected $code"; return; }
  [ -z "$words" ] || grep -q -e "$words" out err || fail "rango $*: says nothing of '$words'"
  [ "$code" = 0 ] || [ -s err ] || fail "rango $*: failed without a message"
}

# has KEYS...: what the last command printed is JSON with these.
has() {
  checks=$((checks + 1))
  # shellcheck disable=SC2086
  $json_has "$@" <out >missing || fail "JSON: $(tr '\n' ';' <missing)"
}

# shellcheck disable=SC2086
{
  $glyphs --count 48 --seed 2 -o calib.npy
  $glyphs --count 64 --seed 3 -o x.npy --labels y.npy
} || exit 1
printf 'no model' >text.onnx
head -c 20000 "$tiny" >short.onnx
cp "$tiny" copy.onnx

# Help, versions, wrong usage.
expect 0 "Commands:" --help
expect 0 "rango [0-9]" --version
expect 2 "no command" 
expect 2 "did you mean 'inspect'" inspct
expect 2 "unknown command" frobnicate
for command in inspect compress calibrate run eval bench tune manifold svd devices; do
  expect 0 "Example:" $command --help
  expect 2 "unknown option" $command --frobnicate
done
expect 2 "did you mean --calib" compress "$tiny" --calip calib.npy
expect 2 "no model" inspect
expect 2 "unexpected argument" inspect "$tiny" "$tiny"
expect 2 "needs a value" run "$tiny" --input
expect 2 "takes no value" inspect "$tiny" --json=yes
expect 2 "whole number" bench "$tiny" --batch 1.5
expect 2 "between" bench "$tiny" --threads -3
expect 2 "needs a number" compress "$tiny" -o o.onnx --calib calib.npy --max-drop much
expect 2 "one of" run "$tiny" --input x.npy --device abacus
expect 2 "no output" compress "$tiny" --calib calib.npy
expect 2 "no calibration" compress "$tiny" -o o.onnx
expect 2 "only one budget" compress "$tiny" -o o.onnx --calib calib.npy --cut-params 10 --cut-macs 10
expect 2 "--val" compress "$tiny" -o o.onnx --calib calib.npy --labels y.npy
expect 2 "needs --labels" compress "$tiny" -o o.onnx --calib calib.npy --max-drop 1
expect 2 "the model itself" compress copy.onnx -o ./copy.onnx --calib calib.npy
expect 2 "no labels" eval "$tiny" --input x.npy
expect 2 "need --input" bench "$tiny" --labels y.npy
expect 2 "none of" bench "$tiny" --rows scalar,fast
expect 2 "SYMBOL=SIZE" inspect "$tiny" --dim batch=none

# Work that fails names the file.
for command in "inspect" "compress -o o.onnx --calib calib.npy" "run --input x.npy" "eval --input x.npy --labels y.npy" "bench"; do
  # shellcheck disable=SC2086
  {
    expect 1 "nowhere.onnx" $command nowhere.onnx
    expect 1 "text.onnx" $command text.onnx
    expect 1 "short.onnx" $command short.onnx
  }
done
[ -e o.onnx ] && fail "a failed compress left its output"
expect 1 "nowhere.npy" run "$tiny" --input nowhere.npy
expect 1 "text.onnx" run "$tiny" --input text.onnx
expect 1 "y.npy\|image" run "$tiny" --input y.npy
expect 1 "vulkan\|GPU" run "$tiny" --input x.npy --device vulkan:99
expect 1 "nowhere" compress "$tiny" -o nowhere/o.onnx --calib calib.npy
expect 1 "" run "$tiny" --input x.npy --isa abacus

# Each command's work, in text and JSON.
expect 0 "fc1" inspect "$tiny"
expect 0 "Conv" inspect "$tiny" --ops
expect 0 "LayerNormalization" inspect --ops
expect 0 "" inspect --ops --json
has operators.0.op operators.0.since operators.0.until operators.0.domain
expect 0 "" inspect "$tiny" --json
has file bytes params macs inputs.0.name=image inputs.0.type=uint8 inputs.0.symbols.0=batch inputs.0.shape.0=null \
  inputs.0.shape.2=64 outputs.0.name=scores layers.0.name layers.0.op layers.0.input layers.0.weight layers.0.output \
  layers.0.params layers.0.macs operators.0.op operators.0.count operators.0.implemented=true
expect 0 "TwoNN" inspect "$tiny" --calib calib.npy
expect 0 "" inspect "$tiny" --calib calib.npy --json --dim batch=4
has spectra.input.dimension=4096 spectra.input.pca99 spectra.layers.0.name spectra.layers.0.two_nn layers.0.input.0=4
expect 0 "" inspect "$tiny" --calib calib.npy --json
has spectra.left_alone spectra.input.intrinsic.value spectra.input.estimator spectra.input.whitney_linear spectra.input.estimates.angles.low \
  spectra.layers.0.decimation.0.local_pca
expect 0 "" manifold x.npy --project 5 --method whitney -o y5.npy --json
has spectrum.intrinsic.high spectrum.gap projection.method=whitney projection.kappa projection.profile.4.pca \
  projection.trustworthiness output=y5.npy
expect 0 "" manifold x.npy --report samples.html --json
has projection=null report=samples.html spectrum.shares.0 spectrum.directions.0.samples.0.row \
  spectrum.decimation.0.low.mle
grep -q 'id="projection"' samples.html || fail "the page shows no projection"
expect 2 "name of its own" manifold x.npy --report x.npy
expect 1 "can't write" manifold x.npy --report none/samples.html
expect 0 "Shortest secant" manifold x.npy --project 2
expect 2 "needs --project" manifold x.npy -o y5.npy
expect 1 "span" manifold x.npy --project 65
expect 0 "" svd y5.npy --rank 2 -o f.npz --json
has rank=2 rows=64 columns=5 exact=true error numbers_after=140
expect 0 "rank 5" svd y5.npy --tolerance 1e-6 -o f.npz
expect 2 "needs --rank" svd y5.npy -o f.npz
expect 1 "needs a matrix" svd x.npy --rank 2 -o none.npz
[ ! -e none.npz ] || fail "svd wrote a file though it failed"
expect 0 "scores" run "$tiny" --input x.npy --output scores.npy
cp scores.npy whole.npy
expect 0 "" run "$tiny" --input image=x.npy --output scores=scores.npy --batch 5 --json --profile --threads 1
has outputs.0.name=scores outputs.0.type=float32 outputs.0.shape.0=64 outputs.0.max outputs.0.file=scores.npy ms calls=13 isa \
  threads=1 weight_bytes arena_bytes profile.0.name profile.0.ms profile.0.where
[ "$(wc -c <scores.npy)" = "$(wc -c <whole.npy)" ] || fail "run in parts: another size"
expect 0 "" run "$tiny" --input x.npy --batch 32 --trace trace.json --quiet
cp trace.json out
has displayTimeUnit=ms otherData.isa otherData.threads traceEvents.0.ph=X traceEvents.0.name traceEvents.0.cat \
  traceEvents.0.pid=1 traceEvents.0.tid=1 traceEvents.0.args.where traceEvents.0.args.op=Cast traceEvents.0.args.input.0=32 \
  traceEvents.0.args.output.1=1
grep -o '"op":"Conv","input":\[32,[^]]*\],"output":\[32,[^]]*\],"macs":[1-9]' trace.json >/dev/null || fail "trace: no products"
expect 0 "" run "$tiny" --input x.npy --json --profile
[ "$(grep -o '"ph"' trace.json | wc -l)" = "$((2 * $(grep -c '"where"' out)))" ] || fail "trace: not two events a node"
expect 1 "could not be written" run "$tiny" --input x.npy --trace nowhere/trace.json
[ -e trace.json.part ] && fail "run --trace left something behind"
expect 0 "" run "$tiny" --input x.npy --quiet
[ -s out ] && fail "run --quiet prints"
expect 2 "twice" run "$tiny" --input x.npy --input x.npy
expect 2 "say which" run "$tiny" --input x.npy --output logits=y2.npy
expect 0 "top-1" eval "$tiny" --input x.npy --labels y.npy
expect 0 "" eval "$tiny" --input x.npy --labels y.npy --json --device reference
has metric=top1 value count=64 top5 seconds
expect 0 "kernels" devices
# OpenBLAS gives a processor that it doesn't know kernels without AVX.
checks=$((checks + 1))
! grep -q "features.*avx2.*fma\|features.*fma.*avx2" out || ! grep -q "kernels of Prescott" out || fail "devices: kernels without AVX"
expect 0 "" devices --json
has cpu.isa cpu.cores cpu.features gpus
expect 0 "" compress "$tiny" -o small.onnx --calib calib.npy --val x.npy --labels y.npy --cut-params 30 --json --seed 3
has params_before params_after macs_before macs_after metric=top1 metric_before metric_after seconds budget=cut_params \
  budget_value=30 rows=64 output=small.onnx layers.0.name layers.0.op layers.0.shape layers.0.form layers.0.ranks \
  layers.0.kept_dense layers.0.error
expect 0 "parameters" compress "$tiny" -o small2.onnx --calib calib.npy --cut-params 30
expect 0 "" compress "$tiny" -o small3.onnx --calib calib.npy --cut-params 30 --quiet
[ -s out ] && fail "compress --quiet prints"
expect 0 "top-1" eval small.onnx --input x.npy --labels y.npy
expect 0 "svd_simd" bench "$tiny" --compressed small.onnx --rounds 2 --threads 1
expect 0 "" bench "$tiny" --compressed small.onnx --rounds 2 --batch 3 --input x.npy --labels y.npy --json
has batch=3 peak_gflops metric=top1 rows.0.name=scalar rows.1.name=svd rows.2.name=simd rows.3.name=svd_simd rows.4.name=gpu \
  rows.5.name=svd_gpu rows.0.threads=1 rows.0.ms_median rows.0.improvement_pct=0 rows.0.speedup=1 rows.0.params rows.0.macs \
  rows.0.bytes rows.0.memory_bytes rows.3.metric rows.3.energy_mj rows.3.energy_reason rows.2.batch=3 \
  rows.2.device=cpu rows.4.ms_median gpu
expect 0 "" bench "$tiny" --rows simd --rounds 1 --json
has rows.0.name=simd rows.0.metric=null
expect 2 "none of vulkan" bench "$tiny" --device cpu
expect 2 "none of cpu" tune --device gpu
expect 2 "takes no --output" tune --device vulkan -o costs.json
if $rango devices | grep -q "^vulkan:0"; then
  expect 1 "no device vulkan:99" tune --device vulkan:99
  expect 0 "" bench "$tiny" --rows gpu --rounds 1 --device vulkan:0 --input x.npy --labels y.npy --json
  has rows.0.name=gpu rows.0.device=vulkan:0 rows.0.metric rows.0.peak_share_pct=null gpu
  grep '"ms_median":[[:space:]]*null' out && fail "bench measures no GPU"
fi
expect 1 "fixed\|rows" bench "$tiny" --input x.npy --batch 1000

# Images in folders and tables give the arrays' scores. The rows are sorted by class there.
# shellcheck disable=SC2086
$write_images x.npy y.npy images || fail "write_images"
expect 0 "" eval "$tiny" --input x.npy --labels y.npy --json
accuracy=$(sed -n 's/.*"value":[^0-9]*\([0-9.]*\).*/\1/p' out)
expect 0 "" eval "$tiny" --input images --json
has metric=top1 count=64 "value=$accuracy"
expect 0 "" eval "$tiny" --input images --labels y.npy --json
has count=64
expect 2 "no labels" eval "$tiny" --input images/000
expect 1 "64 x 64" eval "$tiny" --input images --resize 32
expect 0 "scores" run "$tiny" --input image=images/000 --batch 3 --resize 70 --crop 64x64
expect 0 "TwoNN" inspect "$tiny" --calib images
expect 0 "" compress "$tiny" -o small4.onnx --calib images --val images --cut-params 30 --json
has metric=top1 rows=64
expect 0 "" compress "$tiny" -o small5.onnx --calib images --val images --max-drop 50 --json
has metric=top1 budget=max_drop rows=64
expect 2 "are for images" compress "$tiny" -o o.onnx --calib calib.npy --crop 64
expect 2 "is for .csv" eval "$tiny" --input images --label-column 1
printf '1,2\n3,x\n' >table.csv
expect 1 "table.csv, line 2, column 2" run "$tiny" --input table.csv

# Statistics in a file give the same model, and only with what they were made of.
expect 2 "no output" calibrate "$tiny" --calib calib.npy
expect 2 "no calibration" calibrate "$tiny" -o s.rgs
expect 0 "statistics of 48 rows" calibrate "$tiny" --calib calib.npy -o s.rgs
expect 0 "" calibrate "$tiny" --calib calib.npy -o s.rgs --json
has input output=s.rgs rows=48 bytes seconds
expect 0 "" compress "$tiny" -o without.onnx --calib calib.npy --val x.npy --labels y.npy --cut-params 30 --quiet
expect 0 "" compress "$tiny" -o with.onnx --calib calib.npy --val x.npy --labels y.npy --cut-params 30 --quiet --stats s.rgs
cmp without.onnx with.onnx || fail "--stats gives another model"
expect 1 "s.rgs.*other calibration data" compress "$tiny" -o o.onnx --calib x.npy --val calib.npy --cut-params 30 --stats s.rgs
expect 1 "s.rgs.*seed" compress "$tiny" -o o.onnx --calib calib.npy --val x.npy --cut-params 30 --stats s.rgs --seed 4
expect 1 "s.rgs.*another model" compress small.onnx -o o.onnx --calib calib.npy --val x.npy --cut-params 30 --stats s.rgs
expect 2 "give[s]* other rows" compress "$tiny" -o o.onnx --calib calib.npy --cut-params 30 --stats s.rgs
head -c 5000 s.rgs >cut.rgs
expect 1 "cut.rgs" compress "$tiny" -o o.onnx --calib calib.npy --val x.npy --cut-params 30 --stats cut.rgs
expect 1 "text.onnx.*not a file of statistics" compress "$tiny" -o o.onnx --calib calib.npy --val x.npy --cut-params 30 --stats text.onnx

# Nothing is left behind.
for file in .*.tmp* *.tmp*; do [ -e "$file" ] && fail "$file was left behind"; done
echo "$checks checks, $failures failures"
[ $failures = 0 ]
