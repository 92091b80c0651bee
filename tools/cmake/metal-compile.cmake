# Compiles a Metal source ahead. What the compiler refuses leaves an empty file: the system compiles it when it is asked for.
#   cmake -DSOURCE=... -DOUT=... -P metal-compile.cmake
execute_process(COMMAND xcrun -sdk macosx metal -mmacosx-version-min=11.0 -fno-fast-math -o ${OUT} ${SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT "${result}" STREQUAL "0")
  message(STATUS "${SOURCE} is not compiled ahead: ${result} ${text}")
  file(WRITE ${OUT} "")
endif()
