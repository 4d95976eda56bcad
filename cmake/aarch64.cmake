# Toolchain: for 64-bit ARM from another machine, with Debian's libraries as tests/isa/sysroot.sh unpacks them and qemu-user to run the tests.
# cmake --preset aarch64; LAMINA_SYSROOT elsewhere than build/aarch64-root: cmake --preset aarch64 -D LAMINA_SYSROOT=/where/it/is

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(triple aarch64-linux-gnu)
set(CMAKE_C_COMPILER ${triple}-gcc)

set(LAMINA_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root CACHE PATH "an unpacked 64-bit ARM Debian with the libraries")
get_filename_component(root ${LAMINA_SYSROOT} ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LAMINA_SYSROOT)
set(CMAKE_SYSROOT ${root})
set(CMAKE_FIND_ROOT_PATH ${root})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE ${triple})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static;-L;${root})

set(ENV{PKG_CONFIG_SYSROOT_DIR} ${root})
set(ENV{PKG_CONFIG_LIBDIR} ${root}/usr/lib/${triple}/pkgconfig:${root}/usr/share/pkgconfig)
unset(ENV{PKG_CONFIG_PATH})

# What the compiler wrappers would tell, which do not run here.
set(MPI_SKIP_COMPILER_WRAPPER TRUE)
set(MPI_C_HEADER_DIR ${root}/usr/lib/${triple}/openmpi/include CACHE PATH "")
set(MPI_C_LIB_NAMES mpi CACHE STRING "")
set(MPI_mpi_LIBRARY ${root}/usr/lib/${triple}/libmpi.so.40 CACHE FILEPATH "")
set(HDF5_C_COMPILER_EXECUTABLE "" CACHE FILEPATH "")
set(HDF5_ROOT ${root}/usr/lib/${triple}/hdf5/openmpi)
