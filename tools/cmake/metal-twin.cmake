# Makes one variant of a hand-written Metal source: definitions in front, and the functions (not the kernel) of a translated
# source in the place of its line `#include "functions"`.
#   cmake -DSOURCE=... -DFUNCTIONS=... -DDEFINITIONS="A=1;B" -DOUT=... -P metal-twin.cmake
file(READ ${SOURCE} text)
file(READ ${FUNCTIONS} translated)
string(REGEX MATCH "static inline.*kernel void" functions "${translated}")
string(REPLACE "kernel void" "" functions "${functions}")
string(REPLACE "#include \"functions\"\n" "${functions}" text "${text}")
set(front "")
foreach(definition ${DEFINITIONS})
  string(REPLACE "=" " " definition ${definition})
  string(APPEND front "#define ${definition}\n")
endforeach()
file(WRITE ${OUT} "${front}${text}")
