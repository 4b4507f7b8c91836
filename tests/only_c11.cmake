# Fails where a static library of trm wants a function that C11 has not, but for zlib's, libexpat's and libyaml's.
# Run by ctest:  cmake -DNM=… -DLIBRARY=libtrm_none.a -P only_c11.cmake
cmake_minimum_required(VERSION 3.18)

set(c11 aligned_alloc cos erf exp fclose ferror fflush fgetc fmax fmin fopen fread free fseek ftell
    fwrite getenv isalnum isalpha isdigit isspace isupper islower tolower toupper llround log log1p log2
    memchr memcmp memcpy memmove memset pow qsort remove rename sin snprintf sprintf sqrt sqrtf sscanf
    strchr strcmp strcpy strcat strcspn strerror strlen strncmp strrchr strspn strstr strtod strtol
    strtoll strtoul strtoull timespec_get vfprintf vsnprintf cosf sinf expf logf fabs floor ceil
    ldexp frexp lround tanh erff fma fmaf nan fputs fputc fprintf abort stderr exit malloc calloc realloc
    strpbrk bsearch hypot round rint exp2 fmod cbrt nearbyint)

execute_process(COMMAND ${NM} -g ${LIBRARY} OUTPUT_VARIABLE out RESULT_VARIABLE rc)
if(NOT rc EQUAL 0)
  message(FATAL_ERROR "${NM} ${LIBRARY}: ${rc}")
endif()
string(REGEX MATCHALL " U [^\n]+" wanted "${out}")
list(REMOVE_DUPLICATES wanted)
set(n 0)
set(others "")
foreach(name ${wanted})
  string(REGEX REPLACE "^ U |@.*" "" name ${name})
  # Names of the C library for a function or macro of C; the compiler's own; sanitizers'.
  if(name MATCHES "^_*(asan|ubsan|tsan|sanitizer|aarch64_(ld|cas|swp)[a-z0-9_]*|stack_chk|cpu_(model|indicator|features)|gcov)|^__(isoc[0-9]*_|ctype_|errno_|[a-z]*_chk)|^_GLOBAL_")
    continue()
  endif()
  if(name MATCHES "^trm_|^XML_|^yaml_|^inflate|^crc32|^sincosf?$" OR name IN_LIST c11)
    math(EXPR n "${n} + 1")
  else()
    list(APPEND others ${name})
  endif()
endforeach()
if(others OR n LESS 50)
  message(FATAL_ERROR "${LIBRARY} wants what C11 has not: ${others} (and ${n} that it has)")
endif()
message(STATUS "${n} names, all of C11")
