# What Lamina needs from outside: required libraries stop the configuration with a name, optional ones say what is lost.

find_package(PkgConfig REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
find_package(OpenMP REQUIRED COMPONENTS C)

set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "HDF5 was found but is not the parallel build: install libhdf5-openmpi-dev or load a parallel HDF5 module")
endif()
add_library(lamina_hdf5 INTERFACE)
target_include_directories(lamina_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_compile_definitions(lamina_hdf5 INTERFACE ${HDF5_C_DEFINITIONS})
target_link_libraries(lamina_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)

# lamina_optional(NAME FOUND TARGET LOST [DEFINITION LIBRARY...]): the interface library lamina_TARGET, which where NAME was found links these
# libraries and defines DEFINITION=1, and is empty elsewhere; and a line that says what is lost.
function(lamina_optional name found target lost)
  if(found)
    set(line "${name}: yes")
  else()
    set(line "${name}: NO, so ${lost}")
  endif()
  set_property(GLOBAL APPEND PROPERTY lamina_optional_lines "${line}")
  add_library(lamina_${target} INTERFACE)
  if(found AND ARGN)
    list(POP_FRONT ARGN definition)
    target_compile_definitions(lamina_${target} INTERFACE ${definition}=1)
    target_link_libraries(lamina_${target} INTERFACE ${ARGN})
  endif()
endfunction()

# oneDNN by header and library: its CMake package asks for OpenCL, which a clean Debian lacks.
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h)
find_library(DNNL_LIBRARY dnnl)
if(DNNL_INCLUDE AND DNNL_LIBRARY)
  set(DNNL_FOUND TRUE)
endif()
lamina_optional(oneDNN "${DNNL_FOUND}" dnnl "dense products go to CBLAS, one thread per call"
  LAMINA_HAVE_DNNL ${DNNL_LIBRARY})
if(DNNL_FOUND)
  target_include_directories(lamina_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE})
endif()

pkg_check_modules(OPENBLAS IMPORTED_TARGET openblas)
pkg_check_modules(LAPACKE IMPORTED_TARGET lapacke)
if(OPENBLAS_FOUND AND LAPACKE_FOUND)
  set(LINALG_FOUND TRUE)
endif()
lamina_optional("OpenBLAS + LAPACKE" "${LINALG_FOUND}" linalg "matrix optimizers are left out"
  LAMINA_HAVE_LAPACKE PkgConfig::OPENBLAS PkgConfig::LAPACKE)
if(NOT DNNL_FOUND AND NOT OPENBLAS_FOUND)
  message(FATAL_ERROR "neither oneDNN nor OpenBLAS was found: install libdnnl-dev or libopenblas-dev")
endif()

pkg_check_modules(PCRE2 IMPORTED_TARGET libpcre2-8)
lamina_optional(PCRE2 "${PCRE2_FOUND}" pcre2 "--document-start and most tokenizer.json files (expressions) are refused"
  LAMINA_HAVE_PCRE2 PkgConfig::PCRE2)

# Unpackers of `data build`, each a row of common/data/packed.
pkg_check_modules(ZSTD IMPORTED_TARGET libzstd)
lamina_optional(zstd "${ZSTD_FOUND}" zstd "data build refuses .zst"
  LAMINA_HAVE_ZSTD PkgConfig::ZSTD)
find_package(BZip2 QUIET)
lamina_optional(bzip2 "${BZIP2_FOUND}" bzip2 "data build refuses .bz2"
  LAMINA_HAVE_BZIP2 BZip2::BZip2)
pkg_check_modules(XZ IMPORTED_TARGET liblzma)
lamina_optional(xz "${XZ_FOUND}" xz "data build refuses .xz"
  LAMINA_HAVE_XZ PkgConfig::XZ)

pkg_check_modules(UTF8PROC IMPORTED_TARGET libutf8proc)
lamina_optional(utf8proc "${UTF8PROC_FOUND}" utf8proc "tokenizer.json files that normalize Unicode (NFC, NFKC, NFD, NFKD, Lowercase) are refused"
  LAMINA_HAVE_UTF8PROC PkgConfig::UTF8PROC)

pkg_check_modules(CHECK IMPORTED_TARGET check)
lamina_optional(Check "${CHECK_FOUND}" check "no tests are built")
if(CHECK_FOUND)
  target_link_libraries(lamina_check INTERFACE PkgConfig::CHECK)
endif()

function(lamina_print_libraries)
  get_property(lines GLOBAL PROPERTY lamina_optional_lines)
  message(STATUS "Optional libraries:")
  foreach(line IN LISTS lines)
    message(STATUS "  ${line}")
  endforeach()
endfunction()
