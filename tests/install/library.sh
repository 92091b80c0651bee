#!/bin/sh
# What an application links: under 1 MB stripped, no LAPACK, nothing public but rango_*: library.sh NM STRIP OBJDUMP
set -eu
library=$(find "$RANGO_BINARY_DIR" -maxdepth 1 -name 'librango.so.*.*' -o -maxdepth 1 -name 'librango.[0-9]*.dylib' | head -n 1)
[ -n "$library" ] || { echo "SKIP: no shared librango here"; exit 77; }
"$2" -o "$RANGO_BINARY_DIR/librango-stripped" "$library"
bytes=$(wc -c <"$RANGO_BINARY_DIR/librango-stripped")
echo "librango stripped: $bytes bytes"
[ "$bytes" -lt 1048576 ] || { echo "over 1 MB"; exit 1; }
case $library in
*.so.*)
  needed=$("$3" -p "$library" | awk '$1 == "NEEDED" { print $2 }')
  for name in $needed; do
    case $name in libc.so* | libm.so* | libpthread* | ld-linux*) ;; *) echo "librango needs $name"; exit 1 ;; esac
  done
  others=$("$1" -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | grep -vE '^rango_[a-z0-9_]+@@RANGO_0$|^rg_.*@@RANGO_PRIVATE' || true)
  [ -z "$others" ] || { echo "exported beside rango_*: $others"; exit 1; }
  ;;
esac

# librango-gpu: opened at run time by its one function; the drivers' libraries are opened, not linked.
gpu=$(find "$RANGO_BINARY_DIR" -maxdepth 1 -name 'librango-gpu.so.*.*' | head -n 1)
[ -n "$gpu" ] || exit 0
others=$("$1" -D --defined-only "$gpu" | awk '$2 != "A" { print $3 }' | grep -v '^rg_gpu_library_get@@RANGO_PRIVATE' || true)
[ -z "$others" ] || { echo "librango-gpu exports $others"; exit 1; }
for name in $("$3" -p "$gpu" | awk '$1 == "NEEDED" { print $2 }'); do
  case $name in librango.so* | libc.so* | libm.so* | libpthread* | ld-linux*) ;; *) echo "librango-gpu needs $name"; exit 1 ;; esac
done
