# WebAssembly by clang and wasi-libc, as Debian has them: the packages that scripts/setup installs for
# the preset wasm. Vectors of 128 bits are in every engine since 2023; a module that has them is
# refused as a whole by one that lacks them, so there is no choice at run time.
set(CMAKE_SYSTEM_NAME Generic) # CMake knows no WASI
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_C_FLAGS_INIT "-msimd128 -mnontrapping-fptoint -msign-ext")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
