# Checks that what depends on the kind of a puzzle asks the kind's row: outside of src/puzzle's folder
# of each kind nothing compares a kind with one of its values, switches on it or has a table by it.
# TRM_PUZZLE_NONE, which says that nothing is known, may be asked for.
# Run by ctest:  cmake -DROOT=<source tree> -P kinds.cmake
cmake_minimum_required(VERSION 3.18)

file(READ ${ROOT}/include/trm/puzzle.h header)
string(REGEX REPLACE ".*typedef enum trm_puzzle_kind {(.*)} trm_puzzle_kind;.*" "\\1" names "${header}")
string(REGEX MATCHALL "TRM_PUZZLE_[A-Z0-9_]+" names "${names}")
list(REMOVE_ITEM names TRM_PUZZLE_NONE TRM_PUZZLE_KINDS)
if(NOT "TRM_PUZZLE_SUDOKU" IN_LIST names)
  message(FATAL_ERROR "include/trm/puzzle.h: found no kinds in trm_puzzle_kind")
endif()
list(JOIN names "|" names)

set(offences "")
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${ROOT}/src/*.c ${ROOT}/src/*.h ${ROOT}/cli/*.c ${ROOT}/cli/*.h
     ${ROOT}/include/*.h ${ROOT}/examples/*.c)
list(FILTER sources EXCLUDE REGEX "^src/puzzle/[^/]*/")
foreach(source ${sources})
  file(STRINGS ${ROOT}/${source} lines REGEX "([!=]= *|case +|\\[)(${names})([^A-Z0-9_]|$)|(${names}) *[!=]=")
  foreach(line ${lines})
    string(STRIP "${line}" line)
    string(APPEND offences "${source}: asks for one kind: ${line}\n  give trm__puzzle_kind (src/puzzle/kind.h) or "
                           "trm_puzzle_facts a member that says what is wanted\n")
  endforeach()
endforeach()
if(offences)
  message(FATAL_ERROR "\n${offences}")
endif()
message(STATUS "nothing but their rows compares kinds")
