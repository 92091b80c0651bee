#!/bin/sh
# What a compiler for Apple Silicon says of the sources, without a Mac: the C of the libraries and the tool and the Metal
# backend's Objective-C against small stand-ins for macOS's headers (include/, written for this test, and ../metal/include),
# and every assembly file for both systems, free of x18.
set -eu
command -v clang >/dev/null || { echo "SKIP: no clang here"; exit 77; }
clang -target arm64-apple-macos11 -E -x c /dev/null >/dev/null 2>&1 || { echo "SKIP: this clang knows no ARM64"; exit 77; }
cd "$RANGO_SOURCE_DIR"
work=$RANGO_BINARY_DIR/apple
rm -rf "$work"
mkdir -p "$work/libraries"
# Of libraries that are the same on every system; some lie in a folder of the architecture.
for header in zip.h zipconf.h cjson png.h pngconf.h pnglibconf.h jpeglib.h jmorecfg.h jerror.h jconfig.h; do
  for found in "/usr/include/$header" /usr/include/*-linux-gnu/"$header"; do
    [ -e "$found" ] && ln -sf "$found" "$work/libraries/"
  done
done
skipped="^src/kernels/avx|^src/gpu/vulkan/"
shaders=$RANGO_BINARY_DIR/shaders # made by the build
[ -e "$shaders/gpu/shader_ids.h" ] || skipped="$skipped|^src/gpu/"
[ -e "$work/libraries/zip.h" ] || skipped="$skipped|^src/compress/npz.c"
[ -e "$work/libraries/cjson" ] || skipped="$skipped|^cli/"
[ -e "$work/libraries/png.h" ] || skipped="$skipped|^cli/data_png.c"
[ -e "$work/libraries/jpeglib.h" ] || skipped="$skipped|^cli/data_jpeg.c"

flags="-target arm64-apple-macos11 -nostdlibinc -fsyntax-only -std=gnu11 -isystem tests/apple/include
  -isystem $work/libraries -Iinclude -Isrc -I$shaders -DRANGO_CBLAS -DRANGO_METAL -Wall -Wextra -Wshadow -Wno-unused-parameter -Werror"
sources=$(find src cli -name '*.c' | grep -vE "$skipped" | sort)
# shellcheck disable=SC2086 # lists of words
printf '%s\n' $sources | xargs -n 40 -P 2 clang $flags
# shellcheck disable=SC2086
find src/ops -name 'family_*.c' | xargs clang $flags -DRG_OPS_SCALAR
echo "$sources" | wc -l | xargs printf '%s C files pass for macOS\n'
if [ -e "$shaders/gpu/shader_ids.h" ]; then
  # shellcheck disable=SC2086
  find src/gpu -name '*.m' | sort | xargs clang $flags -x objective-c -Itests/metal/include
  find src/gpu -name '*.m' | wc -l | xargs printf '%s Objective-C files pass for macOS\n'
fi

for file in $(find src -name '*.S'); do
  for target in arm64-apple-macos11 aarch64-linux-gnu; do
    clang -target "$target" -c "$file" -o "$work/assembled.o"
  done
  if clang -target arm64-apple-macos11 -E "$file" | grep -wE '[xw]18'; then
    echo "$file uses x18"
    exit 1
  fi
  echo "$file assembles for macOS and Linux"
done
