#!/bin/sh
# The examples build against the installed copy, by CMake's package and by pkg-config, and run: examples.sh CC GENERATOR [TOOLCHAIN]
set -eu
compiler=$1
work=$RANGO_BINARY_DIR/install-test
rm -rf "$work"
mkdir -p "$work"
cmake --install "$RANGO_BINARY_DIR" --prefix "$work/prefix" >"$work/install.log"
library=$(dirname "$(find "$work/prefix" -name librango.a)")

cmake -G "$2" -S "$RANGO_SOURCE_DIR/examples" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$compiler" \
  ${3:+-DCMAKE_TOOLCHAIN_FILE="$3" -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH} >"$work/configure.log"
cmake --build "$work/cmake" >"$work/build.log"

export PKG_CONFIG_PATH="$library/pkgconfig"
if [ -z "${3:-}" ]; then
  # shellcheck disable=SC2046 # lists of words
  "$compiler" "$RANGO_SOURCE_DIR/examples/shrink.c" -o "$work/shrink" $(pkg-config --cflags --libs rango-compress) \
    -Wl,-rpath,"$library"
  # shellcheck disable=SC2046
  "$compiler" "$RANGO_SOURCE_DIR/examples/classify.c" -o "$work/classify" $(pkg-config --cflags rango) "$library/librango.a" \
    $(pkg-config --static --libs rango)
else
  cp "$work/cmake/shrink" "$work/cmake/classify" "$work"
fi

run() { LD_LIBRARY_PATH=$library $RANGO_EMULATOR "$@"; }
run "$RANGO_BINARY_DIR/glyphs" --count 1024 --seed 5 -o "$work/x.npy"
lines=$(run "$work/classify" "$RANGO_SOURCE_DIR/models/tiny.onnx" "$work/x.npy" | grep -c 'class')
[ "$lines" = 1024 ] || { echo "classify printed $lines lines, not 1024"; exit 1; }
run "$work/shrink" "$RANGO_SOURCE_DIR/models/tiny.onnx" "$work/x.npy" "$work/small.onnx" 2>"$work/shrink.log" ||
  { cat "$work/shrink.log"; exit 1; }
run "$work/cmake/classify" "$work/small.onnx" "$work/x.npy" >/dev/null
