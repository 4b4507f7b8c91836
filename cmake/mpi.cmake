# The part libtrm-mpi.so: many processes, by the MPI that is installed. Nothing else of trm knows MPI.
if(TRM_MPI AND NOT TRM_PYTHON AND NOT TRM_STATIC AND NOT TRM_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  find_package(MPI COMPONENTS C QUIET)
endif()
if(MPI_C_FOUND)
  add_library(trm_mpi MODULE ${PROJECT_SOURCE_DIR}/src/comm/mpi/mpi.c)
  target_include_directories(trm_mpi PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(trm_mpi PRIVATE TRM_VERSION="${PROJECT_VERSION}")
  # Its headers are not held to our warnings, and its macros not to those of casts.
  get_target_property(mpi_headers MPI::MPI_C INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(trm_mpi SYSTEM PRIVATE ${mpi_headers})
  target_link_libraries(trm_mpi PRIVATE MPI::MPI_C)
  set_target_properties(trm_mpi PROPERTIES OUTPUT_NAME trm-mpi PREFIX lib
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  install(TARGETS trm_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/trm COMPONENT program)
endif()
