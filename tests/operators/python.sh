#!/bin/sh
# python.sh SOURCE SCRIPT ...: runs a script of this folder with the first Python that has onnx and onnxruntime.
source=$1 script=$2
shift 2
for python in "$RANGO_PYTHON" "$source/build/venv/bin/python" python3; do
  [ -n "$python" ] && "$python" -c 'import numpy, onnx, onnxruntime' 2>/dev/null &&
    exec "$python" "$source/tests/operators/$script" "$@"
done
echo "SKIP: no Python with numpy, onnx and onnxruntime (set RANGO_PYTHON)"
exit 77
