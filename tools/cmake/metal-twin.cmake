# Makes one variant of a hand-written Metal source: definitions in front, the included file's text in its place.
#   cmake -DSOURCE=... -DINCLUDE=... -DDEFINITIONS="A=1;B" -DOUT=... -P metal-twin.cmake
file(READ ${SOURCE} text)
file(READ ${INCLUDE} included)
get_filename_component(name ${INCLUDE} NAME)
string(REPLACE "#include \"${name}\"\n" "${included}" text "${text}")
set(front "")
foreach(definition ${DEFINITIONS})
  string(REPLACE "=" " " definition ${definition})
  string(APPEND front "#define ${definition}\n")
endforeach()
file(WRITE ${OUT} "${front}${text}")
