# librango-gpu: the GPU backends and their shaders, which librango opens when a session asks for a GPU. Shaders are compiled from
# GLSL at build time: glslc makes SPIR-V for Vulkan, spirv-cross Metal's language from that.
set(shaders ${src}/gpu/shaders)
set(shader_build ${CMAKE_CURRENT_BINARY_DIR}/shaders)
file(MAKE_DIRECTORY ${shader_build}/gpu)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shaders}/variants.txt)
file(STRINGS ${shaders}/variants.txt lines REGEX "^[a-z]")
file(GLOB shader_headers CONFIGURE_DEPENDS ${shaders}/*.glsl)

set(shader_ids "")
set(shader_arguments)
set(rango_metal_sources)
set(shader_files)
# What glslc -O does but for unrolling, which drivers do as well: a third of the size.
set(spirv_passes --strip-debug --merge-return --inline-entry-points-exhaustive --eliminate-dead-functions
    --convert-local-access-chains --eliminate-local-single-block --eliminate-local-single-store --eliminate-local-multi-store
    --eliminate-dead-branches --eliminate-dead-code-aggressive --simplify-instructions --redundancy-elimination
    --eliminate-dead-const --cfg-cleanup)
# Where a tile has to lie in registers, its loops are unrolled here: some drivers give up on so many, and put it in memory. Twice:
# what the first round makes constant is unrolled by the second.
set(unroll --eliminate-dead-branches --merge-blocks --ccp --eliminate-dead-branches --merge-blocks --loop-unroll
    --scalar-replacement=200 --convert-local-access-chains --eliminate-local-single-block --eliminate-local-single-store
    --eliminate-local-multi-store --ccp --simplify-instructions --eliminate-dead-branches --eliminate-dead-code-aggressive
    --merge-blocks)
set(spirv_unroll_passes -O ${unroll} ${unroll} --vector-dce --redundancy-elimination --eliminate-dead-code-aggressive)
# One variant: SPIR-V, checked, and its Metal source.
function(rango_shader name file)
  set(spv ${shader_build}/${name}.spv)
  set(metal ${shader_build}/${name}.metal)
  set(passes ${spirv_passes})
  if("-DUNROLL" IN_LIST ARGN)
    set(passes ${spirv_passes} ${spirv_unroll_passes})
  endif()
  add_custom_command(OUTPUT ${spv} ${metal}
    COMMAND ${GLSLC} -fshader-stage=compute --target-env=vulkan1.1 ${ARGN} -o ${spv}.plain ${shaders}/${file}
    COMMAND ${SPIRV_OPT} ${passes} ${spv}.plain -o ${spv}
    COMMAND ${SPIRV_VAL} --target-env vulkan1.1 ${spv}
    COMMAND ${SPIRV_CROSS} --msl --msl-version 20200 --msl-decoration-binding --output ${metal} ${spv}
    DEPENDS ${shaders}/${file} ${shader_headers} COMMENT "Shader ${name}" VERBATIM)
  set(shader_ids "${shader_ids}  RG_SHADER_${name},\n" PARENT_SCOPE)
  set(shader_arguments ${shader_arguments} ${name} ${spv} ${metal} PARENT_SCOPE)
  set(shader_files ${shader_files} ${spv} PARENT_SCOPE)
  set(rango_metal_sources ${rango_metal_sources} ${metal} PARENT_SCOPE)
endfunction()
# The hand-written Metal twin of a product's variant, for GPUs with SIMD-group matrices; activations are translated.
set(metal_twin_options)
set(metal_twins)
set(activation ${shader_build}/activation)
add_custom_command(OUTPUT ${activation}.metal
  COMMAND ${GLSLC} -fshader-stage=compute --target-env=vulkan1.1 -I ${shaders} -o ${activation}.spv
    ${src}/gpu/metal/activation.comp
  COMMAND ${SPIRV_CROSS} --msl --msl-version 20200 --msl-decoration-binding --output ${activation}.metal ${activation}.spv
  DEPENDS ${src}/gpu/metal/activation.comp ${shader_headers} COMMENT "Activations in Metal's language" VERBATIM)
function(rango_metal_twin name)
  set(metal ${shader_build}/${name}_matrices.metal)
  set(source ${src}/gpu/metal/product.metal)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/metal-twin.cmake)
  add_custom_command(OUTPUT ${metal}
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DFUNCTIONS=${activation}.metal "-DDEFINITIONS=${ARGN}" -DOUT=${metal}
      -P ${script}
    DEPENDS ${source} ${activation}.metal ${script} COMMENT "Metal twin of ${name}" VERBATIM)
  set(metal_twin_options ${metal_twin_options} --twin ${name} ${metal} PARENT_SCOPE)
  set(metal_twins ${metal_twins} ${metal} PARENT_SCOPE)
endfunction()
foreach(line ${lines})
  separate_arguments(words UNIX_COMMAND "${line}")
  list(POP_FRONT words name file storage)
  if(file STREQUAL "product.comp" AND NOT words MATCHES "SCALAR|PAIR")
    rango_metal_twin(${name} ${words})
    rango_metal_twin(${name}_half ${words} HALF)
  endif()
  list(TRANSFORM words PREPEND -D)
  rango_shader(${name} ${file} ${words})
  if(storage STREQUAL "half")
    rango_shader(${name}_half ${file} ${words} -DHALF)
  endif()
endforeach()
add_custom_target(rango-metal-twins DEPENDS ${metal_twins})
file(CONFIGURE OUTPUT ${shader_build}/gpu/shader_ids.h CONTENT
"/* Made from gpu/shaders/variants.txt. */
#ifndef RG_GPU_SHADER_IDS_H
#define RG_GPU_SHADER_IDS_H

enum {\n@shader_ids@  RG_SHADER_COUNT\n};

#endif
" @ONLY)

set(rango_gpu_definitions)
set(rango_gpu_sources)
set(embed_options)
if(APPLE)
  enable_language(OBJC)
  file(GLOB metal_sources CONFIGURE_DEPENDS ${src}/gpu/metal/*.m)
  list(APPEND rango_gpu_sources ${metal_sources})
  list(APPEND rango_gpu_definitions RANGO_METAL)
  list(APPEND embed_options --msl --metallib ${metal_twin_options})
  list(APPEND shader_files ${metal_twins})
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/metal-compile.cmake)
  foreach(metal ${rango_metal_sources} ${metal_twins})
    add_custom_command(OUTPUT ${metal}lib COMMAND ${CMAKE_COMMAND} -DSOURCE=${metal} -DOUT=${metal}lib -P ${script}
      DEPENDS ${metal} ${script} VERBATIM)
    list(APPEND shader_files ${metal}lib)
  endforeach()
endif()
if(NOT APPLE)
  file(GLOB vulkan_sources CONFIGURE_DEPENDS ${src}/gpu/vulkan/*.c)
  list(APPEND rango_gpu_sources ${vulkan_sources})
  list(APPEND rango_gpu_definitions RANGO_VULKAN)
  list(APPEND embed_options --spirv)
endif()

add_executable(embed-shaders tools/shaders/embed.c)
add_custom_command(OUTPUT ${shader_build}/shaders.c
  COMMAND embed-shaders ${shader_build}/shaders.c ${embed_options} ${shader_arguments}
  DEPENDS embed-shaders ${shader_files} COMMENT "Embedding shaders" VERBATIM)

# What doesn't depend on a backend is compiled once; the tests link it with an emulated one too.
file(GLOB gpu_sources CONFIGURE_DEPENDS ${src}/gpu/*.c)
list(REMOVE_ITEM gpu_sources ${src}/gpu/device.c)
add_library(rango-gpu-core OBJECT ${gpu_sources})
target_include_directories(rango-gpu-core PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${src} ${shader_build})
target_compile_options(rango-gpu-core PRIVATE -Os)

set(gpu_backend_sources ${src}/gpu/device.c ${rango_gpu_sources} ${shader_build}/shaders.c)
add_library(rango-gpu-backends OBJECT ${gpu_backend_sources})
target_include_directories(rango-gpu-backends PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include ${src} ${shader_build})
if(NOT APPLE AND NOT CMAKE_CROSSCOMPILING)
  target_include_directories(rango-gpu-backends SYSTEM PRIVATE ${VULKAN_HEADERS})
endif()
target_compile_definitions(rango-gpu-backends PRIVATE ${rango_gpu_definitions})
target_compile_options(rango-gpu-backends PRIVATE -Os)

set(rango_gpu_objects $<TARGET_OBJECTS:rango-gpu-core> $<TARGET_OBJECTS:rango-gpu-backends>)
set(rango_gpu_libraries)
if(APPLE)
  list(APPEND rango_gpu_libraries "-framework Metal" "-framework Foundation")
endif()
add_library(rango-gpu SHARED ${rango_gpu_objects})
add_library(rango-gpu-static STATIC ${rango_gpu_objects})
set_target_properties(rango-gpu PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(rango-gpu-static PROPERTIES OUTPUT_NAME rango-gpu)
target_link_libraries(rango-gpu PRIVATE rango m ${rango_gpu_libraries} ${CMAKE_DL_LIBS})
target_link_libraries(rango-gpu-static PUBLIC rango-static PRIVATE m ${rango_gpu_libraries} ${CMAKE_DL_LIBS})
# librango's reference is weak, which alone takes nothing out of an archive.
target_link_options(rango-gpu-static INTERFACE -Wl,-u,$<$<BOOL:${APPLE}>:_>rg_gpu_library_get)
if(APPLE)
  target_link_options(rango-gpu PRIVATE -Wl,-exported_symbol,_rg_gpu_library_get)
else()
  target_link_options(rango-gpu PRIVATE -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/rango-gpu.map
                                        -Wl,-Bsymbolic-functions -Wl,--no-undefined -Wl,--gc-sections)
  set_target_properties(rango-gpu PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/rango-gpu.map)
endif()
