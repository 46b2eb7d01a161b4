# trowel_library(NAME SOURCES… [LINK…] [MLIR] [EXCEPTIONS] [DEPENDS…])
#
# A static library of ours. MLIR: may include MLIR headers and is built as MLIR
# is (no exceptions). EXCEPTIONS: built with them (only the code that meets ANTLR).
function(trowel_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_include_directories(${target} PUBLIC
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra)
  if(TROWEL_SANITIZE)
    # `function` reads what the compiler puts in front of a function, which
    # generated code does not have.
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined
      -fno-sanitize=vptr,function -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(TROWEL_FUZZ)
    target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
  endif()
endfunction()

function(trowel_mlir_options target)
  target_include_directories(${target} SYSTEM PUBLIC
    ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(${target} PUBLIC ${TROWEL_LLVM_DEFINITIONS})
  # Generated operation classes have parameters that they do not use.
  target_compile_options(${target} PRIVATE -fno-exceptions -Wno-unused-parameter)
endfunction()

function(trowel_library target)
  cmake_parse_arguments(ARG "MLIR;EXCEPTIONS" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  trowel_compile_options(${target})
  if(ARG_MLIR)
    trowel_mlir_options(${target})
    mlir_target_link_libraries(${target} PUBLIC MLIRIR)
    target_link_libraries(${target} PUBLIC LLVM)
  endif()
  if(ARG_EXCEPTIONS)
    target_compile_options(${target} PRIVATE -fexceptions -frtti)
  elseif(NOT ARG_MLIR)
    target_compile_options(${target} PRIVATE -fno-exceptions)
  endif()
  target_link_libraries(${target} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${target} ${ARG_DEPENDS})
  endif()
endfunction()

# trowel_tool(NAME SOURCES… [LINK…] [MLIR] [EXCEPTIONS])
function(trowel_tool target)
  cmake_parse_arguments(ARG "MLIR;EXCEPTIONS" "" "SOURCES;LINK" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  trowel_compile_options(${target})
  if(ARG_MLIR)
    trowel_mlir_options(${target})
  endif()
  if(ARG_EXCEPTIONS)
    target_compile_options(${target} PRIVATE -fexceptions)
  endif()
  target_link_libraries(${target} PRIVATE ${ARG_LINK})
endfunction()
