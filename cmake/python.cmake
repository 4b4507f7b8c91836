# What of the Python package is built (pyproject.toml): libtrm beside its modules, under one plain name
# that they load, the mirror of the headers, and the models. TRM_PYTHON is for that build alone.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set_property(TARGET trm_shared PROPERTY VERSION)
set_property(TARGET trm_shared PROPERTY SOVERSION)
install(TARGETS trm_shared LIBRARY DESTINATION trm COMPONENT python)

set(mirror ${PROJECT_BINARY_DIR}/generated/_c.py)
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/include/trm/*.h)
add_custom_command(OUTPUT ${mirror}
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/python/mirror.py ${mirror}
  DEPENDS ${headers} ${PROJECT_SOURCE_DIR}/python/mirror.py COMMENT "Mirroring the headers for Python" VERBATIM)
add_custom_target(trm_python DEPENDS ${mirror} trm_shared)
install(FILES ${mirror} DESTINATION trm COMPONENT python)

install(DIRECTORY models/ DESTINATION trm/models COMPONENT python
        FILES_MATCHING PATTERN "*.safetensors" PATTERN "*.md")
