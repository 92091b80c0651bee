# librango: base … engine. libc, libm and the thread library, nothing else.
set(src ${CMAKE_CURRENT_SOURCE_DIR}/src)
file(GLOB rango_sources CONFIGURE_DEPENDS ${src}/base/*.c ${src}/tensor/*.c ${src}/graph/*.c ${src}/onnx/*.c
     ${src}/passes/*.c ${src}/passes/canonical/*.c ${src}/passes/lower/*.c ${src}/kernels/*.c ${src}/kernels/generic/*.c
     ${src}/cpu/*.c ${src}/engine/*.c)

# Operator families are compiled twice (src/ops/op.h), but for those that src/ops/families.h says; the rest of the room once.
file(GLOB rango_ops CONFIGURE_DEPENDS ${src}/ops/*.c)
set(rango_families ${rango_ops})
list(FILTER rango_families INCLUDE REGEX "/family_[a-z0-9_]+\\.c$")
list(REMOVE_ITEM rango_ops ${rango_families})
set(rango_scalar_families ${rango_families})
file(STRINGS ${src}/ops/families.h once REGEX "^RG_FAMILY_ONCE")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${src}/ops/families.h)
foreach(family ${once})
  string(REGEX REPLACE ".*\\((.*)\\).*" "\\1" family ${family})
  list(REMOVE_ITEM rango_scalar_families ${src}/ops/family_${family}.c)
endforeach()

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" rango_cpu)
set(rango_isa_sources)
function(rango_isa name)
  file(GLOB files CONFIGURE_DEPENDS ${src}/kernels/${name}/*.c ${src}/kernels/${name}/*.S)
  set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "${ARGN}")
  set(rango_isa_sources ${rango_isa_sources} ${files} PARENT_SCOPE)
endfunction()
if(rango_cpu MATCHES "x86_64|amd64")
  rango_isa(avx2 -mavx2 -mfma -mf16c)
  rango_isa(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c)
elseif(rango_cpu MATCHES "aarch64|arm64")
  rango_isa(neon -O2 $<$<C_COMPILER_ID:GNU>:-frename-registers>) # gcc 12 moves sums to and fro otherwise
endif()

# Large products by a BLAS: src/kernels/table.h, sgemm.
set(rango_blas "")
if(RANGO_CBLAS)
  rango_isa(cblas -O2)
  if(APPLE)
    find_library(RANGO_BLAS_LIBRARY Accelerate REQUIRED)
  else()
    find_library(RANGO_BLAS_LIBRARY NAMES openblas blis cblas REQUIRED)
  endif()
  set(rango_blas ${RANGO_BLAS_LIBRARY})
  add_compile_definitions(RANGO_CBLAS)
endif()

# Kernels are compiled for speed; the rest for size as well, since devices carry it (tests/install/library.sh holds the bound).
file(GLOB rango_hot CONFIGURE_DEPENDS ${src}/kernels/avx*/*.c ${src}/kernels/neon/*.c)
set_property(SOURCE ${rango_hot} APPEND PROPERTY COMPILE_OPTIONS -O3)
file(GLOB rango_cold CONFIGURE_DEPENDS ${src}/onnx/*.c ${src}/graph/*.c ${src}/passes/*.c ${src}/passes/*/*.c
     ${src}/tensor/*.c ${src}/engine/*.c ${src}/base/*.c)
set_property(SOURCE ${rango_cold} APPEND PROPERTY COMPILE_OPTIONS -Os)
set_property(SOURCE ${src}/kernels/generic/vector.c ${src}/kernels/generic/winograd.c ${src}/kernels/generic/depthwise.c
             APPEND PROPERTY COMPILE_OPTIONS -Os -ftree-vectorize)
set(lean -fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  set(scalar -O2 -fno-vectorize -fno-slp-vectorize)
  set(optimised -Os)
else()
  set(scalar -O2 -fno-tree-vectorize -fno-tree-slp-vectorize)
  set(optimised -Os)
endif()

find_package(Threads REQUIRED)

add_library(rango-families-scalar OBJECT ${rango_scalar_families})
target_compile_definitions(rango-families-scalar PRIVATE RG_OPS_SCALAR)
target_compile_options(rango-families-scalar PRIVATE ${scalar} ${lean})
add_library(rango-families OBJECT ${rango_families})
target_compile_options(rango-families PRIVATE ${optimised} ${lean})
add_library(rango-core OBJECT ${rango_sources} ${rango_ops} ${rango_isa_sources})
target_compile_options(rango-core PRIVATE $<$<COMPILE_LANGUAGE:C>:${lean}>)
foreach(part rango-families-scalar rango-families rango-core)
  target_include_directories(${part} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${src})
endforeach()

set(rango_objects $<TARGET_OBJECTS:rango-core> $<TARGET_OBJECTS:rango-families> $<TARGET_OBJECTS:rango-families-scalar>)
add_library(rango SHARED ${rango_objects})
add_library(rango-static STATIC ${rango_objects})
set_target_properties(rango PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(rango-static PROPERTIES OUTPUT_NAME rango)
# The public functions are the shared library's interface; internals are exported to librango-compress alone, under a version
# of their own that changes with every release (rango.map).
if(APPLE)
  target_link_options(rango PRIVATE -Wl,-exported_symbol,_rango_* -Wl,-exported_symbol,_rg_*)
else()
  target_link_options(rango PRIVATE -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/rango.map -Wl,-Bsymbolic-functions
                                    -Wl,--no-undefined -Wl,--gc-sections)
  set_target_properties(rango PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/rango.map)
endif()
foreach(library rango rango-static)
  target_include_directories(${library} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${library} PRIVATE m Threads::Threads ${CMAKE_DL_LIBS} ${rango_blas})
endforeach()
