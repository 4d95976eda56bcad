# MPI, and the HDF5 that was built with the same MPI. LAMINA_MPI: openmpi, mpich (and its relatives), or other.

include(CheckSymbolExists)
include(CheckCSourceCompiles)

find_package(MPI COMPONENTS C)
if(NOT MPI_C_FOUND)
  lamina_lacks(mpi)
elseif(MPI_C_VERSION VERSION_LESS 3.1)
  lamina_problem("MPI ${MPI_C_VERSION} was found, but 3.1 is needed: load or install a newer Open MPI (2.0 and later) or MPICH (3.2 and later)")
endif()

set(LAMINA_MPI other)
if(MPI_C_FOUND)
  set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
  check_symbol_exists(OPEN_MPI mpi.h LAMINA_MPI_IS_OPENMPI)
  check_symbol_exists(MPICH_VERSION mpi.h LAMINA_MPI_IS_MPICH)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(LAMINA_MPI_IS_OPENMPI)
    set(LAMINA_MPI openmpi)
  elseif(LAMINA_MPI_IS_MPICH)
    set(LAMINA_MPI mpich)
  endif()
endif()

# Debian keeps a parallel HDF5 for each MPI side by side, and only pkg-config knows which is whose; elsewhere h5pcc or HDF5_ROOT tell.
add_library(lamina_hdf5 INTERFACE)
set(lamina_hdf5_found FALSE)
if(PKG_CONFIG_FOUND AND NOT HDF5_ROOT AND NOT "$ENV{HDF5_ROOT}" AND NOT LAMINA_MPI STREQUAL "other")
  pkg_check_modules(LAMINA_HDF5_PKG QUIET hdf5-${LAMINA_MPI})
  if(LAMINA_HDF5_PKG_FOUND)
    set(lamina_hdf5_found TRUE)
    set(lamina_hdf5_includes ${LAMINA_HDF5_PKG_INCLUDE_DIRS})
    set(lamina_hdf5_libraries ${LAMINA_HDF5_PKG_LINK_LIBRARIES})
    list(FILTER lamina_hdf5_libraries INCLUDE REGEX "hdf5") # MPI comes from FindMPI
    set(LAMINA_HDF5_VERSION ${LAMINA_HDF5_PKG_VERSION})
  endif()
endif()
if(NOT lamina_hdf5_found)
  set(HDF5_PREFER_PARALLEL ON)
  find_package(HDF5 COMPONENTS C)
  if(HDF5_FOUND)
    set(lamina_hdf5_found TRUE)
    set(lamina_hdf5_includes ${HDF5_C_INCLUDE_DIRS})
    set(lamina_hdf5_libraries ${HDF5_C_LIBRARIES})
    target_compile_definitions(lamina_hdf5 INTERFACE ${HDF5_C_DEFINITIONS})
    set(LAMINA_HDF5_VERSION ${HDF5_VERSION})
  endif()
endif()
target_include_directories(lamina_hdf5 SYSTEM INTERFACE ${lamina_hdf5_includes})
target_link_libraries(lamina_hdf5 INTERFACE ${lamina_hdf5_libraries})

# Which MPI a shared libhdf5 was linked with is written in it; loading two of them into one process ends in crashes.
set(lamina_hdf5_mpi "")
foreach(file IN LISTS lamina_hdf5_libraries)
  if(CMAKE_READELF AND file MATCHES "libhdf5[^/]*[.]so")
    execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE lamina_needed ERROR_QUIET)
    if(lamina_needed MATCHES "NEEDED[^\n]*libmpi[.]so[.][2-9]")
      set(lamina_hdf5_mpi openmpi)
    elseif(lamina_needed MATCHES "NEEDED[^\n]*(libmpich|libmpi[.]so[.]1[0-9])")
      set(lamina_hdf5_mpi mpich)
    endif()
  endif()
endforeach()

if(NOT lamina_hdf5_found)
  lamina_lacks(hdf5)
elseif(MPI_C_FOUND)
  set(CMAKE_REQUIRED_INCLUDES ${lamina_hdf5_includes})
  set(CMAKE_REQUIRED_LIBRARIES ${lamina_hdf5_libraries} MPI::MPI_C)
  check_c_source_compiles("
    #include <hdf5.h>
    #ifndef H5_HAVE_PARALLEL
    #error serial
    #endif
    int main(void) { return (int)H5Pset_fapl_mpio(0, MPI_COMM_WORLD, MPI_INFO_NULL); }" LAMINA_HDF5_IS_PARALLEL)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(NOT LAMINA_HDF5_IS_PARALLEL)
    lamina_problem("HDF5 was found (${lamina_hdf5_libraries}), but not a parallel build for this MPI: install ${lamina_hdf5_debian} (Debian, Ubuntu), load or install \
${lamina_hdf5_module}, or name its prefix by HDF5_ROOT")
    unset(LAMINA_HDF5_IS_PARALLEL CACHE) # look again next time
  elseif(LAMINA_HDF5_VERSION VERSION_LESS 1.10)
    lamina_problem("HDF5 ${LAMINA_HDF5_VERSION} was found, but 1.10 is needed: name a newer one by HDF5_ROOT")
  endif()
endif()
if(lamina_hdf5_mpi AND NOT lamina_hdf5_mpi STREQUAL LAMINA_MPI AND MPI_C_FOUND)
  lamina_problem("HDF5 (${lamina_hdf5_libraries}) was built with another MPI (${lamina_hdf5_mpi}) than the one found (${LAMINA_MPI}): name the right one by HDF5_ROOT, or the MPI by MPI_C_COMPILER")
endif()
