# Writes what the program says of itself in other forms than --help: OUT/man/trm.1, OUT/man/trm-COMMAND.1
# (with SOURCE_DATE_EPOCH as their date, where it is set) and OUT/completions/{bash,zsh,fish}.
# cmake -DTRM=build/release/trm -DEMULATOR=… -DOUT=… -P cmake/manuals.cmake
cmake_minimum_required(VERSION 3.18)

function(write file)
  execute_process(COMMAND ${EMULATOR} ${TRM} help ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE why RESULT_VARIABLE rc)
  if(NOT rc EQUAL 0)
    message(FATAL_ERROR "trm help ${ARGN}: ${rc} ${why}")
  endif()
  if(file)
    file(WRITE ${OUT}/${file} "${text}")
  endif()
  set(text "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${OUT}/man ${OUT}/completions)
foreach(shell bash zsh fish)
  write(completions/${shell} --${shell})
endforeach()
write(man/trm.1 --man)
string(REGEX MATCHALL "fBtrm[^ ]-[a-z]+" commands "${text}")
list(TRANSFORM commands REPLACE ".*-" "")
if(NOT commands)
  message(FATAL_ERROR "trm help --man names no command")
endif()
foreach(command ${commands})
  write(man/trm-${command}.1 --man ${command})
endforeach()
