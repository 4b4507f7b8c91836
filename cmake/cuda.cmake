# The plug-in libtrm-cuda.so: the same sources for a GPU (TRM_CUDA) and, for the tests, for the CPU
# (tests/hostcuda). Nothing else of trm links to CUDA.
file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/cuda/*.cu)
# What only Hopper's instructions can say is compiled for Hopper alone.
file(GLOB hopper_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/cuda/hopper/*.cu)

if(TRM_CUDA)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(nvcc nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
    if(NOT nvcc)
      message(FATAL_ERROR "TRM_CUDA needs CUDA 13: no nvcc on the PATH, in CUDA_HOME or /usr/local/cuda")
    endif()
    set(CMAKE_CUDA_COMPILER ${nvcc})
  endif()
  # Machine code from Ampere on, and for what comes later the last one's PTX. Consumer Ampere and
  # Ada (8.6, 8.9) run 8.0's code too, but have tables of their own for latencies.
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 100-real 120)
    if(DEFINED ENV{CUDAARCHS}) # CMake before 3.20 does not look there
      set(CMAKE_CUDA_ARCHITECTURES $ENV{CUDAARCHS})
    endif()
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit 13 REQUIRED)
  function(trm_cuda_library name)
    add_library(${name} OBJECT ${ARGN})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_compile_definitions(${name} PUBLIC TRM_VERSION="${PROJECT_VERSION}")
    target_compile_options(${name} PUBLIC
      "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra;--threads=0>"
      "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${TRM_WERROR}>>:-Werror=all-warnings>")
    target_link_libraries(${name} PUBLIC CUDA::cudart_static CUDA::cublasLt)
    set_target_properties(${name} PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON
      CUDA_VISIBILITY_PRESET hidden)
  endfunction()
  trm_cuda_library(trm_cuda_objects ${cuda_sources})
  trm_cuda_library(trm_hopper_objects ${hopper_sources})
  function(trm_for_hopper name) # older versions of CMake do not know 90a
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES OFF)
    target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-gencode=arch=compute_90a,code=sm_90a>")
  endfunction()
  trm_for_hopper(trm_hopper_objects)
  if(TRM_WERROR)
    target_compile_options(trm_hopper_objects PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=--warn-on-spills>")
    set_target_properties(trm_hopper_objects PROPERTIES RULE_LAUNCH_COMPILE
      "sh ${PROJECT_SOURCE_DIR}/cmake/no_serialized_products.sh")
  endif()
  add_library(trm_cuda MODULE $<TARGET_OBJECTS:trm_cuda_objects> $<TARGET_OBJECTS:trm_hopper_objects>)
  target_link_libraries(trm_cuda PRIVATE CUDA::cudart_static CUDA::cublasLt)
  target_link_options(trm_cuda PRIVATE -Wl,--no-undefined)
  set_target_properties(trm_cuda PROPERTIES OUTPUT_NAME trm-cuda PREFIX lib LINKER_LANGUAGE CUDA
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
    INSTALL_RPATH "$ORIGIN;${CUDAToolkit_LIBRARY_DIR}") # cuBLASLt beside it, or where it was built
  install(TARGETS trm_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/trm COMPONENT program)
endif()
