# Writes files as a table in C: cli/serve/page.h says what of them.
# Run by a build:  cmake -DTABLE=<name> "-DFILES=<file> <file> ..." -DOUT=<file.c> -P embed.cmake
cmake_minimum_required(VERSION 3.18)

set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_wasm "application/wasm")

set(arrays "")
set(rows "")
set(n 0)
separate_arguments(FILES)
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE ".*\\." "" ending ${name})
  if(NOT DEFINED type_${ending})
    message(FATAL_ERROR "${file}: no type is known of .${ending}; add it to cmake/embed.cmake")
  endif()
  file(READ ${file} bytes HEX)
  file(SHA256 ${file} tag)
  file(SIZE ${file} size)
  string(SUBSTRING ${tag} 0 16 tag)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "^index\\.html$" "" path ${name})
  string(APPEND arrays "static const unsigned char file_${n}[] = {${bytes}};\n")
  string(APPEND rows "    {\"/${path}\", \"${type_${ending}}\", \"\\\"${tag}\\\"\", file_${n}, ${size}},\n")
  math(EXPR n "${n} + 1")
endforeach()

file(WRITE ${OUT} "/* Made by cmake/embed.cmake. */
#include \"cli/serve/page.h\"

${arrays}
const page_file ${TABLE}[] = {
${rows}    {NULL, NULL, NULL, NULL, 0},
};
")
