# Run by CPack before it packs: what Debian wants otherwise than a plain installation has it. Every
# package has a copyright and a changelog; manuals are compressed.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
find_program(gzip gzip REQUIRED)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # or SOURCE_DATE_EPOCH
foreach(component program library development)
  string(TOUPPER ${component} upper)
  set(name ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component}${CPACK_PACKAGING_INSTALL_PREFIX})
  set(doc ${root}/share/doc/${name})
  if(NOT component STREQUAL program AND EXISTS ${root}/share/doc/trm)
    file(RENAME ${root}/share/doc/trm ${doc})
  endif()
  if(EXISTS ${doc}/LICENSE)
    file(REMOVE ${doc}/LICENSE) # it is the copyright
  endif()
  file(READ ${CPACK_RESOURCE_FILE_LICENSE} licence)
  file(WRITE ${doc}/copyright "${licence}")
  file(WRITE ${doc}/changelog.Debian "trm (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Built by cpack from the sources of ${CPACK_PACKAGE_VERSION}.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  if(component STREQUAL library) # by CPack's scripts, though a trigger would do
    file(WRITE ${root}/share/lintian/overrides/${name} "${name}: maintscript-calls-ldconfig\n")
  endif()
  if(EXISTS ${root}/share/zsh/site-functions) # is for the administrator's own
    file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)
  endif()
  file(GLOB manuals ${root}/share/man/man1/*.1)
  execute_process(COMMAND ${gzip} -9nf ${doc}/changelog.Debian ${manuals} COMMAND_ERROR_IS_FATAL ANY)
  if(EXISTS ${doc}/CHANGELOG.md)
    file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
    execute_process(COMMAND ${gzip} -9nf ${doc}/changelog COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
