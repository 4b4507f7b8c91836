# The seam for the system: src/base/os_*.c, of which a build takes the files of one system. All other
# sources are C11 and the same for each; the compiler is asked for no more, so it finds what is not.
# TRM_OS says which system:
#   linux   futexes, affinity, control groups, names that change places
#   posix   what POSIX has, as on macOS
#   none    one thread, files by C's stdio: what WebAssembly has, and a system that nobody knows
if(NOT TRM_OS)
  set(TRM_OS none)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(TRM_OS linux)
  elseif(UNIX)
    set(TRM_OS posix)
  endif()
endif()
if(TRM_OS STREQUAL "none" AND (TRM_BUILD_CLI OR TRM_BUILD_TESTS OR TRM_FUZZ))
  message(FATAL_ERROR "TRM_OS=none is the library alone: set TRM_BUILD_CLI, TRM_BUILD_TESTS and TRM_FUZZ to OFF")
endif()

function(trm_os_files out system)
  set(linux os_posix_*.c os_linux*.c)
  set(posix os_posix_*.c os_plain*.c)
  set(none os_none*.c)
  if(NOT DEFINED ${system})
    message(FATAL_ERROR "TRM_OS is '${system}': want linux, posix or none")
  endif()
  list(TRANSFORM ${system} PREPEND ${PROJECT_SOURCE_DIR}/src/base/)
  file(GLOB sources CONFIGURE_DEPENDS ${${system}})
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
