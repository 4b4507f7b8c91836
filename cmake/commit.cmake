# Writes OUT, a C file with the commit of the sources in SOURCE, "-dirty" behind it where they differ
# from it; "" where it is not known: there is no git, or SOURCE is not the top of a work tree. The
# file is touched only when it changes.
#   cmake -DSOURCE=... -DOUT=... -P commit.cmake
set(commit "")
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --show-prefix
                  OUTPUT_VARIABLE prefix RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed AND prefix STREQUAL "")
    execute_process(COMMAND ${GIT} --no-optional-locks -C ${SOURCE} describe --always --dirty --abbrev=12 "--exclude=*"
                    OUTPUT_VARIABLE commit RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(failed OR NOT commit MATCHES "^[0-9a-f]+(-dirty)?$")
      set(commit "")
    endif()
  endif()
endif()
set(text "/* Made by cmake/commit.cmake. */\n#include \"base/commit.h\"\n\nconst char trm__commit[] = \"${commit}\";\n")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
