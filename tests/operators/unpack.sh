#!/bin/sh
# unpack.sh ARCHIVE FOLDER: unpacks the ONNX backend data once.
if [ ! -f "$1" ]; then
  echo "SKIP: $1 is not there"
  exit 77
fi
[ -f "$2/onnx-backend/unpacked" ] && exit 0
mkdir -p "$2" && tar -xf "$1" -C "$2" && touch "$2/onnx-backend/unpacked"
