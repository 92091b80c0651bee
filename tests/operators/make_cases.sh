#!/bin/sh
# make_cases.sh SOURCE FOLDER: writes the cases, with the first Python that has onnx and onnxruntime.
for python in "$RANGO_PYTHON" "$1/build/venv/bin/python" python3; do
  [ -n "$python" ] && "$python" -c 'import numpy, onnx, onnxruntime' 2>/dev/null &&
    exec "$python" "$1/tests/operators/make_cases.py" "$2"
done
echo "SKIP: no Python with numpy, onnx and onnxruntime (set RANGO_PYTHON)"
exit 77
