# Runs a command, which must succeed; its output is in ${out} after that.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE rc OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT rc EQUAL 0)
    message(FATAL_ERROR "failed with ${rc}: ${ARGN}\n${text}")
  endif()
  set(out "${text}" PARENT_SCOPE)
endfunction()
