# What the program has of the web: trm_embed(<variable> <table> <file>...) makes a source with a table of
# files (cli/serve/page.h); trm_build_web(<variable>) builds those of the solver for web pages, as the
# preset wasm does, where trm_has_web says that its tools (scripts/setup wasm) are here.
function(trm_embed out table)
  set(source ${PROJECT_BINARY_DIR}/generated/${table}.c)
  list(JOIN ARGN " " files)
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DTABLE=${table} "-DFILES=${files}" -DOUT=${source}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  set(${out} ${source} PARENT_SCOPE)
endfunction()

# Whether clang makes modules here: it takes a linker, a C library and the compiler's runtime.
function(trm_can_build_web out)
  set(source ${PROJECT_BINARY_DIR}/generated/tries_wasm.c)
  file(WRITE ${source} "#include <stdlib.h>\nvoid *f(void);\nvoid *f(void) { return malloc(1); }\n")
  execute_process(COMMAND clang --target=wasm32-wasi -nostartfiles -Wl,--no-entry ${source} -o ${source}.wasm
                  RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
  if(code STREQUAL "0")
    set(${out} ON PARENT_SCOPE)
  else()
    set(${out} OFF PARENT_SCOPE)
  endif()
endfunction()

# A command that builds the files of the solver, in the folder of the targets that take them.
function(trm_build_web out)
  set(web ${PROJECT_BINARY_DIR}/web)
  set(files ${web}/web/trm.wasm ${web}/web/trm.js ${web}/web/trm-worker.js)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c ${PROJECT_SOURCE_DIR}/src/*.h
       ${PROJECT_SOURCE_DIR}/src/*.inc ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/wasm/*)
  add_custom_command(OUTPUT ${files}
    COMMAND ${CMAKE_COMMAND} --preset wasm -B ${web} -DTRM_WERROR=OFF
    COMMAND ${CMAKE_COMMAND} --build ${web}
    COMMAND ${CMAKE_COMMAND} -E touch ${files}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/cmake/wasm32.cmake ${PROJECT_SOURCE_DIR}/CMakePresets.json
    COMMENT "Building the solver for web pages")
  set(${out} ${files} PARENT_SCOPE)
endfunction()

set(trm_has_web OFF)
if(TRM_PAGE)
  trm_can_build_web(trm_has_web)
  if(NOT trm_has_web)
    message(STATUS "trm page will have no solver: clang, lld and wasi-libc are not here (scripts/setup wasm)")
  endif()
endif()
