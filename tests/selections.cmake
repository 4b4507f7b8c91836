# What scripts/check runs in a preset beside `release`: the tests with a label, and the target of that
# name builds what they need. A list, not all tests, because an emulator or a sanitizer takes ten times
# as long, and says something new only where its own subject is.

# threads: those that start threads in the library, or ask for what threads share (the thread sanitizer).
set(threads
  test_ahead test_eval test_experts test_finetune test_fork test_fork_posix test_handed_out test_inputs
  test_memory_data test_program_serve test_program_serve_crowds
  test_program_serve_load test_program_serve_runs
  test_queue test_search test_solved_steps test_solver test_team test_team_posix
  test_think test_threads test_trainer test_trainer_state)

# arm: arithmetic, and files, whose bytes and characters an architecture may take differently. They
# start no program, which the emulator cannot follow, and train nothing for long. The fuzzers' corpora
# are among these too, but for those of the program, and among the second compiler's
# (fuzz/CMakeLists.txt).
set(arm
  os_none test_augment test_base test_cpus test_dataset test_fields test_formats test_fused
  test_gemm test_grid_files test_int8 test_json test_kernels test_maze test_model test_mt19937
  test_npy test_number test_pickle test_plugin_abi test_puzzle test_puzzle_kinds test_puzzle_text test_queue
  test_run_yaml test_safetensors test_same_bits test_sudoku_file test_team test_threads test_torch
  test_zip test_kernels_cortex_a53 test_gemm_cortex_a53 test_fused_cortex_a53)

# second_compiler: a few quick ones. Its warnings are for the library and the program, which are built
# whole; of the tests it builds these alone, and none of the sources for GPUs, which gcc and nvcc warn of.
set(second_compiler
  test_base test_formats test_fused test_int8 test_json test_kernels test_program_manuals
  test_solver
  installed_example)

# long: what the address sanitizer leaves out. It takes minutes for them, and the code that they run
# is run by others too: test_cuda_ops, test_ops, test_solver, test_eval, test_think, test_program,
# torture_smoke.
set(long
  parity test_cuda test_gen_sudoku test_learning test_number_millions test_plan test_program_reproduce
  test_program_eval test_program_signals test_same_bits)

foreach(selection threads arm second_compiler long)
  add_custom_target(${selection}_tests)
  foreach(name ${${selection}})
    string(REGEX REPLACE "_cortex_a53$" "" program ${name})
    string(REGEX REPLACE "_posix$" "" source ${program})
    if(name MATCHES "^test_" AND NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${source}.c)
      message(FATAL_ERROR "tests/selections.cmake: ${selection}: there is no tests/${source}.c")
    endif()
    if(TEST ${name}) # those of an optional part are not, without it
      set_property(TEST ${name} APPEND PROPERTY LABELS ${selection})
      if(name STREQUAL "installed_example" AND TRM_INSTALL)
        add_dependencies(${selection}_tests installable tiny_model)
      elseif(TARGET ${program})
        add_dependencies(${selection}_tests ${program})
      endif()
    endif()
  endforeach()
endforeach()
