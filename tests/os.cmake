# The seam for the system in its other forms, on this one: what is above it is the same objects, linked
# with the files of POSIX alone, and of no system (cmake/os.cmake).
foreach(system posix none)
  trm_os_files(sources ${system})
  trm_library(trm_os_${system} OBJECT ${sources})
  trm_library(trm_${system} STATIC $<TARGET_OBJECTS:trm_objects> $<TARGET_OBJECTS:trm_os_${system}>)
endforeach()

trm_test_program(os_none trm_none no_system.c)
if(YAML_FOUND)
  target_compile_definitions(os_none PRIVATE TRM_YAML_TESTED)
endif()
add_test(NAME os_none COMMAND os_none)
foreach(name base base_refused folder fork team)
  trm_test_program(test_${name}_posix trm_posix test_${name}.c)
  target_compile_definitions(test_${name}_posix PRIVATE TRM_TESTED_POSIX)
  add_test(NAME test_${name}_posix COMMAND test_${name}_posix)
endforeach()
target_link_options(test_base_refused_posix PRIVATE ${refusing})
target_link_options(test_folder_posix PRIVATE ${lacking})

# Of what no system has, the library uses what C11 has, and its optional parts' libraries.
add_test(NAME os_none_is_c11
         COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:trm_none>
                 -P ${CMAKE_CURRENT_SOURCE_DIR}/only_c11.cmake)
