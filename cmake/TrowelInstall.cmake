# What hosts need of an installation: the headers, and find_package(Trowel). The
# compiler and its examples are installed where they are built.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Trowel)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/TrowelConfig.cmake.in
  ${PROJECT_BINARY_DIR}/TrowelConfig.cmake
  INSTALL_DESTINATION ${package}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/TrowelConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TrowelConfig.cmake
  ${PROJECT_BINARY_DIR}/TrowelConfigVersion.cmake DESTINATION ${package})
install(FILES ${PROJECT_SOURCE_DIR}/runtime/include/trowel/trowel.h
  ${PROJECT_SOURCE_DIR}/third_party/dlpack/dlpack.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/trowel)
install(FILES ${PROJECT_SOURCE_DIR}/third_party/dlpack/LICENSE
  DESTINATION ${CMAKE_INSTALL_DATADIR}/trowel/licences RENAME dlpack)
