# librango-compress: adjoint, linalg … report (LAPACK for offline mathematics, libzip for .npz), and the rango tool (cJSON; libpng and
# libjpeg-turbo for images).
file(GLOB compress_sources CONFIGURE_DEPENDS ${src}/adjoint/*.c ${src}/linalg/*.c ${src}/manifold/*.c
                                       ${src}/compress/*.c ${src}/report/*.c)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
if(APPLE)
  find_library(RANGO_LAPACK Accelerate REQUIRED)
else()
  find_library(LAPACKE_LIBRARY lapacke REQUIRED)
  find_library(OPENBLAS_LIBRARY openblas REQUIRED)
  set(RANGO_LAPACK ${LAPACKE_LIBRARY} ${OPENBLAS_LIBRARY})
endif()

add_library(rango-compress-core OBJECT ${compress_sources})
target_include_directories(rango-compress-core PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${src})
target_link_libraries(rango-compress-core PRIVATE PkgConfig::LIBZIP)
target_compile_options(rango-compress-core PRIVATE -O3)
# Pages need no speed, and gcc 12 for ARM64 fails on two of their loops at -O3.
file(GLOB report_sources CONFIGURE_DEPENDS ${src}/report/*.c)
set_property(SOURCE ${report_sources} APPEND PROPERTY COMPILE_OPTIONS -O2)

add_library(rango-compress SHARED $<TARGET_OBJECTS:rango-compress-core>)
add_library(rango-compress-static STATIC $<TARGET_OBJECTS:rango-compress-core>)
set_target_properties(rango-compress PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(rango-compress-static PROPERTIES OUTPUT_NAME rango-compress)
target_link_libraries(rango-compress PUBLIC rango PRIVATE PkgConfig::LIBZIP ${RANGO_LAPACK} m)
target_link_libraries(rango-compress-static PUBLIC rango-static PRIVATE PkgConfig::LIBZIP ${RANGO_LAPACK} m)
if(APPLE)
  target_link_options(rango-compress PRIVATE -Wl,-exported_symbol,_rango_*)
else()
  target_link_options(rango-compress PRIVATE -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/rango-compress.map
                                             -Wl,-Bsymbolic-functions -Wl,--no-undefined)
  set_target_properties(rango-compress PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/rango-compress.map)
endif()

file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*.c)
if(cli_sources)
  add_executable(rango-tool ${cli_sources})
  set_target_properties(rango-tool PROPERTIES OUTPUT_NAME rango)
  target_link_libraries(rango-tool PRIVATE rango-compress-static PkgConfig::CJSON PkgConfig::PNG PkgConfig::JPEG m)
  if(TARGET rango-gpu-static) # librango asks for it by a weak reference, which takes nothing out of an archive
    target_sources(rango-tool PRIVATE ${rango_gpu_objects})
    target_link_libraries(rango-tool PRIVATE ${rango_gpu_libraries})
  endif()
endif()

add_executable(glyphs tools/glyphs/main.c tools/glyphs/glyphs.c)
target_include_directories(glyphs PRIVATE ${src})
target_link_libraries(glyphs PRIVATE rango-static m)
