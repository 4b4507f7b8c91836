# cpack: trm-VERSION-SYSTEM.tar.gz of everything, and one Debian package for each component.
# scripts/package makes them.
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME trm)
set(CPACK_PACKAGE_VENDOR "the trm authors")
set(TRM_MAINTAINER "the trm authors <trm@example.org>" CACHE STRING "Who answers for the packages")
set(CPACK_PACKAGE_CONTACT "${TRM_MAINTAINER}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each component has its own
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME trm-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
if(TRM_STATIC)
  string(APPEND CPACK_PACKAGE_FILE_NAME -static)
endif()
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_ALL program library development)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1) # older than any of Debian's own
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian.cmake)

set(about "A Tiny Recursive Model is a small network that applies itself to its own
answer again and again.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME trm)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "Tiny Recursive Models that solve puzzles
${about}
The program trains, evaluates and uses such models, and comes with some for
Sudokus and mazes.")
if(MICROHTTPD_FOUND) # loaded by trm serve alone
  set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "libmicrohttpd12 | libmicrohttpd12t64")
endif()
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libtrm${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
file(WRITE ${PROJECT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/triggers)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Tiny Recursive Models, the shared library
${about}
This library trains, evaluates and uses such models for other programs.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtrm-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libtrm${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), zlib1g-dev, libc6-dev")
if(EXPAT_FOUND)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libexpat1-dev")
endif()
if(YAML_FOUND)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libyaml-dev")
endif()
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Tiny Recursive Models, headers and static library
${about}
What it takes to build programs with libtrm: headers, the static library, and
files for pkg-config and CMake.")
include(CPack)
