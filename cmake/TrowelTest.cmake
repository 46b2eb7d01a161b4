# trowel_unit_test(NAME SOURCES… [LINK…] [MLIR] [EXCEPTIONS] [LABEL l])
#
# A GoogleTest program, each test of which ctest lists by name. A program with
# the label `full` is run by `scripts/test --full` only. Tests find the sources
# of the project through the macro TROWEL_SOURCE_DIR and the built tools through
# TROWEL_BINARY_DIR.
find_package(GTest REQUIRED)
include(GoogleTest)

function(trowel_unit_test target)
  cmake_parse_arguments(ARG "MLIR;EXCEPTIONS" "LABEL" "SOURCES;LINK" ${ARGN})
  set(flags)
  foreach(flag MLIR EXCEPTIONS)
    if(ARG_${flag})
      list(APPEND flags ${flag})
    endif()
  endforeach()
  trowel_tool(${target} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} GTest::gtest_main
    ${flags})
  target_compile_definitions(${target} PRIVATE
    TROWEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    TROWEL_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(properties TIMEOUT 600)
  if(ARG_LABEL)
    set(properties LABELS ${ARG_LABEL} TIMEOUT 7200)
  endif()
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${target}."
    PROPERTIES ${properties})
endfunction()
