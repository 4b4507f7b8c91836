# cmake --install: the program, both libraries, the headers, and how others find them
# (find_package(trm) with targets trm::trm, trm::shared, trm::static; pkg-config trm).
set(trm_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/trm)

install(TARGETS trm_static trm_shared EXPORT trmTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES include/trm.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/trm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TRM_BUILD_CLI)
  install(TARGETS trm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT trmTargets NAMESPACE trm:: DESTINATION ${trm_config_dir})
configure_package_config_file(cmake/trmConfig.cmake.in ${CMAKE_BINARY_DIR}/trmConfig.cmake
                              INSTALL_DESTINATION ${trm_config_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/trmConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/trmConfig.cmake ${CMAKE_BINARY_DIR}/trmConfigVersion.cmake
        DESTINATION ${trm_config_dir})

# trm.pc says where the files are relative to itself, so that the prefix may be moved.
file(RELATIVE_PATH trm_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/trm.pc.in ${CMAKE_BINARY_DIR}/trm.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/trm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
