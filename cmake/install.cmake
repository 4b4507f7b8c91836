# cmake --install: the program with its manuals, completions and models; the libraries; the headers, and
# how others find them (find_package(trm) with targets trm::trm, trm::shared, trm::static; pkg-config
# trm). The target `installable` builds what that takes, `uninstall` takes it back. Each part is a
# component, and a Debian package: program (trm), library (libtrm0), development (libtrm-dev).
set(trm_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/trm)

# --- the program ---
if(TRM_BUILD_CLI)
  install(TARGETS trm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
  install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/trm/models COMPONENT program
          FILES_MATCHING PATTERN "*.safetensors" PATTERN "*.md")
  # The program writes them itself, which a cross build without an emulator cannot have it do.
  if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
    set(manuals ${PROJECT_BINARY_DIR}/manuals)
    add_custom_command(OUTPUT ${manuals}/man/trm.1
      COMMAND ${CMAKE_COMMAND} "-DTRM=$<TARGET_FILE:trm>" "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}"
              -DOUT=${manuals} -P ${PROJECT_SOURCE_DIR}/cmake/manuals.cmake
      DEPENDS trm ${PROJECT_SOURCE_DIR}/cmake/manuals.cmake COMMENT "Writing man pages and completions" VERBATIM)
    add_custom_target(manuals ALL DEPENDS ${manuals}/man/trm.1)
    install(DIRECTORY ${manuals}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
    set(completions ${manuals}/completions)
    install(FILES ${completions}/bash RENAME trm COMPONENT program
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${completions}/zsh RENAME _trm COMPONENT program
            DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${completions}/fish RENAME trm.fish COMPONENT program
            DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  endif()
endif()
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

# --- the libraries ---
install(TARGETS ${trm_libraries} EXPORT trmTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES include/trm.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(DIRECTORY include/trm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h")
install(FILES examples/solve_sudoku.c examples/train_run.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)

install(EXPORT trmTargets NAMESPACE trm:: DESTINATION ${trm_config_dir} COMPONENT development)
configure_package_config_file(cmake/trmConfig.cmake.in ${PROJECT_BINARY_DIR}/trmConfig.cmake
                              INSTALL_DESTINATION ${trm_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/trmConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/trmConfig.cmake ${PROJECT_BINARY_DIR}/trmConfigVersion.cmake
        DESTINATION ${trm_config_dir} COMPONENT development)

# trm.pc says where the files are relative to itself, so that the prefix may be moved.
file(RELATIVE_PATH trm_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
if(EXPAT_FOUND)
  set(trm_pc_expat ", expat")
endif()
if(YAML_FOUND)
  set(trm_pc_yaml ", yaml-0.1")
endif()
configure_file(cmake/trm.pc.in ${PROJECT_BINARY_DIR}/trm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/trm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# --- all of the above, for who builds no tests ---
add_custom_target(installable DEPENDS ${trm_libraries})
foreach(name trm manuals trm_cuda trm_mpi)
  if(TARGET ${name})
    add_dependencies(installable ${name})
  endif()
endforeach()

# --- taking it back ---
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR}
                  -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)
