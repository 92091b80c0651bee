#!/bin/sh
# run_set.sh FOLDER COMMAND...: runs the command, or says why it can't (exit 77: skipped).
folder=$1
shift
if [ ! -d "$folder" ]; then
  echo "SKIP: $folder is not there"
  exit 77
fi
isa= previous=
for word in "$@"; do
  [ "$previous" = --isa ] && isa=$word
  previous=$word
done
if [ -n "$isa" ] && [ -r /proc/cpuinfo ]; then
  case $isa in
    avx2) grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo || missing=1 ;;
    avx512) grep -qw avx512vl /proc/cpuinfo && grep -qw avx512dq /proc/cpuinfo || missing=1 ;;
  esac
  if [ -n "$missing" ]; then
    echo "SKIP: this CPU has no $isa"
    exit 77
  fi
fi
exec "$@"
