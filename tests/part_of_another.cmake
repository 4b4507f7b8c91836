# trm as a part of another project: FetchContent gives trm::trm, a program that is linked with it solves,
# and nothing else of trm is built or installed; add_subdirectory gives the same target.
# Run by ctest:  cmake -DBUILD=… -DSOURCE=… -DWORK=… -DCC=… -DGENERATOR=… -P …
cmake_minimum_required(VERSION 3.18)

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

set(fetched "include(FetchContent)\nFetchContent_Declare(trm SOURCE_DIR \"${SOURCE}\")\nFetchContent_MakeAvailable(trm)")
set(added "add_subdirectory(\"${SOURCE}\" trm)")
file(REMOVE_RECURSE ${WORK})
foreach(way fetched added)
  file(WRITE ${WORK}/${way}/CMakeLists.txt "cmake_minimum_required(VERSION 3.18)
project(another LANGUAGES C)
${${way}}
add_executable(solve \"${SOURCE}/examples/solve_sudoku.c\")
target_link_libraries(solve PRIVATE trm::trm)
install(TARGETS solve DESTINATION bin)
foreach(name trm::static trm::shared)
  if(NOT TARGET \${name})
    message(FATAL_ERROR \"no \${name}\")
  endif()
endforeach()
if(TARGET trm OR CMAKE_C_FLAGS OR DEFINED CPACK_PACKAGE_NAME)
  message(FATAL_ERROR \"trm changes the project around it\")
endif()
")
  # Without optimisation: this is about how it is built, and quickly.
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${WORK}/${way} -B ${WORK}/${way}/build -DCMAKE_C_COMPILER=${CC}
      -DCMAKE_BUILD_TYPE=Debug)
endforeach()

run(${CMAKE_COMMAND} --build ${WORK}/fetched/build)
file(GLOB_RECURSE shared ${WORK}/fetched/build/libtrm.so*)
if(shared)
  message(FATAL_ERROR "${shared}: built, and nobody uses it")
endif()
run(${BUILD}/tests/tiny_model ${WORK}/sure 5)
run(${WORK}/fetched/build/solve ${WORK}/sure)
if(NOT out MATCHES "^step 1, q_halt 5.00\n")
  message(FATAL_ERROR "want one grid of a model that is sure\n${out}")
endif()
run(${CMAKE_COMMAND} --install ${WORK}/fetched/build --prefix ${WORK}/prefix)
file(GLOB_RECURSE installed RELATIVE ${WORK}/prefix ${WORK}/prefix/*)
if(NOT installed STREQUAL "bin/solve")
  message(FATAL_ERROR "installed: ${installed}; want bin/solve alone")
endif()
file(REMOVE_RECURSE ${WORK})
