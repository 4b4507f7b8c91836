# The library as its users meet it: installs the build into a prefix of its own, builds the example
# against that through find_package and through pkg-config, and runs both on a small model.
# Run by ctest:  cmake -DBUILD=… -DSOURCE=… -DWORK=… -DCC=… -DGENERATOR=… -DSANITIZE=… -DNM=… -P …
cmake_minimum_required(VERSION 3.18)

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${WORK})
set(prefix ${WORK}/prefix)
set(manifest ${BUILD}/install_manifest.txt)
file(REMOVE ${manifest}.kept)
if(EXISTS ${manifest}) # of whoever installed this build: `uninstall` needs it
  file(RENAME ${manifest} ${manifest}.kept)
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

# --- what comes with the program, where a system looks for it ---
if(EXISTS ${BUILD}/trm)
  set(data ${prefix}/share)
  foreach(file bin/trm share/man/man1/trm.1 share/man/man1/trm-solve.1 share/doc/trm/LICENSE
          share/doc/trm/README.md share/doc/trm/docs/DATA.md share/trm/models/README.md
          share/bash-completion/completions/trm share/zsh/site-functions/_trm
          share/fish/vendor_completions.d/trm.fish)
    if(NOT EXISTS ${prefix}/${file})
      message(FATAL_ERROR "${file} is not installed")
    endif()
  endforeach()
  run(${BUILD}/trm models --names)
  set(built "${out}")
  run(${prefix}/bin/trm models --names)
  string(REPLACE "trm: no models in" "" rest "${out}")
  if(NOT rest STREQUAL out)
    set(out "") # the folders that were searched differ
    set(built "")
  endif()
  if(NOT out STREQUAL built)
    message(FATAL_ERROR "the build has the models\n${built}\nand the installed program\n${out}")
  endif()
endif()
set(sanitize "")
if(SANITIZE)
  set(sanitize -fsanitize=${SANITIZE}) # a program must be linked like the library it uses
endif()

# --- what the shared library shows to the world ---
file(GLOB_RECURSE library ${prefix}/libtrm.so)
if(NOT library)
  message(FATAL_ERROR "no libtrm.so below ${prefix}")
endif()
run(${NM} -D --defined-only ${library})
string(REGEX MATCHALL "[^\n]+" symbols "${out}")
set(n_symbols 0)
foreach(symbol ${symbols})
  string(REGEX REPLACE ".* " "" name "${symbol}")
  if(NOT name MATCHES "^trm_[a-z0-9]")
    message(FATAL_ERROR "libtrm.so exports ${name}; only trm_* is public")
  endif()
  math(EXPR n_symbols "${n_symbols} + 1")
endforeach()
if(n_symbols LESS 40)
  message(FATAL_ERROR "libtrm.so exports only ${n_symbols} functions:\n${out}")
endif()

# --- the example, built twice ---
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE}/examples -B ${WORK}/by_package -DCMAKE_C_COMPILER=${CC}
    "-DCMAKE_C_FLAGS=${sanitize} -Wall -Wextra -Werror" -DCMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${WORK}/by_package)

file(GLOB_RECURSE pc ${prefix}/trm.pc)
get_filename_component(pc_dir "${pc}" DIRECTORY)
get_filename_component(library_dir ${library} DIRECTORY)
find_program(pkg_config NAMES pkg-config pkgconf REQUIRED)
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_dir} ${pkg_config} --cflags --libs trm)
string(STRIP "${out}" flags)
separate_arguments(flags UNIX_COMMAND "${flags}")
run(${CC} ${sanitize} -std=c11 ${SOURCE}/examples/solve_sudoku.c ${flags} -Wl,-rpath,${library_dir}
    -o ${WORK}/by_pkg_config)

# --- and run ---
run(${BUILD}/tests/tiny_model ${WORK}/model)
run(${BUILD}/tests/tiny_model ${WORK}/sure 5)
set(grid "  [.1-6]+\n  [.1-6]+\n  [.1-6]+\n  [.1-6]+\n  [.1-6]+\n  [.1-6]+\n")
foreach(example ${WORK}/by_package/solve_sudoku ${WORK}/by_pkg_config)
  run(${example} ${WORK}/model)
  string(REGEX MATCHALL "step [0-9]+, q_halt -5.00\n${grid}" steps "${out}")
  list(LENGTH steps n_steps)
  if(NOT n_steps EQUAL 16 OR NOT out MATCHES "valid: (yes|no)\n$")
    message(FATAL_ERROR "${example}: want 16 grids and a verdict, found ${n_steps}\n${out}")
  endif()
  run(${example} ${WORK}/sure)
  if(NOT out MATCHES "^step 1, q_halt 5.00\n${grid}valid: (yes|no)\n$")
    message(FATAL_ERROR "${example}: want one grid of a model that is sure\n${out}")
  endif()
  foreach(wrong "${WORK}/none" "${WORK}/model;12345" "${WORK}/model;12345x")
    execute_process(COMMAND ${example} ${wrong} RESULT_VARIABLE rc OUTPUT_VARIABLE text
                    ERROR_VARIABLE message)
    if(NOT rc EQUAL 1 OR NOT message MATCHES "^solve_sudoku: .*(model folder|column)")
      message(FATAL_ERROR "${example} ${wrong}: want exit code 1 and a reason, got ${rc}: ${message}")
    endif()
  endforeach()
endforeach()

execute_process(COMMAND ${WORK}/by_package/train_run arch.lr=1 RESULT_VARIABLE rc ERROR_VARIABLE message)
if(NOT rc EQUAL 1 OR NOT message MATCHES "^train_run: unknown key 'arch.lr'")
  message(FATAL_ERROR "train_run: want exit code 1 and a reason, got ${rc}: ${message}")
endif()

# --- and taken back ---
run(${CMAKE_COMMAND} -DBUILD=${BUILD} -P ${SOURCE}/cmake/uninstall.cmake)
file(GLOB_RECURSE left ${prefix}/*)
file(GLOB_RECURSE folders RELATIVE ${prefix} LIST_DIRECTORIES true ${prefix}/*)
list(FILTER folders INCLUDE REGEX "trm")
if(left OR folders OR EXISTS ${manifest})
  message(FATAL_ERROR "uninstall left ${left} ${folders}")
endif()
if(EXISTS ${manifest}.kept)
  file(RENAME ${manifest}.kept ${manifest})
endif()
file(REMOVE_RECURSE ${WORK})
message(STATUS "${n_symbols} exported symbols, the example works both ways")
