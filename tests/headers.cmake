# Every public header compiles alone, as C11 and as C++17 where a C++ compiler is at hand. The
# ctest builds the objects; nothing is linked or run.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
endif()

file(GLOB public_headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
     ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/include/trm/*.h)
set(alone ${CMAKE_CURRENT_BINARY_DIR}/alone)
set(alone_sources "")
foreach(header ${public_headers})
  string(REGEX REPLACE "[/.]" "_" stem ${header})
  # Twice, for the guard; something after it, because an empty unit is not C.
  file(GENERATE OUTPUT ${alone}/${stem}.c
       CONTENT "#include \"${header}\"\n#include \"${header}\"\nextern int ${stem}_compiles;\n")
  list(APPEND alone_sources ${alone}/${stem}.c)
  if(CMAKE_CXX_COMPILER)
    file(GENERATE OUTPUT ${alone}/${stem}_cxx.cpp
         CONTENT "#include \"${header}\"\n#include \"${header}\"\nextern int ${stem}_compiles;\n")
    list(APPEND alone_sources ${alone}/${stem}_cxx.cpp)
  endif()
endforeach()

add_library(trm_headers OBJECT EXCLUDE_FROM_ALL ${alone_sources})
target_include_directories(trm_headers PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_compile_options(trm_headers PRIVATE -Werror -pedantic)
set_target_properties(trm_headers PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON
                      CXX_EXTENSIONS OFF)
add_test(NAME test_headers COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target trm_headers)
