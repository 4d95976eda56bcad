# What Lamina needs from outside. The rows stand in common/base/libraries.h: names, packages, and what is lost without an optional one. All that
# is required and missing is told at once; LAMINA_WITHOUT leaves an optional library out though it is installed.
#
# A library is looked for by pkg-config, then by header and library in CMAKE_PREFIX_PATH, CPATH and LIBRARY_PATH: what module systems set.

set(LAMINA_WITHOUT "" CACHE STRING "optional libraries to leave out though they are installed: their words, or all; one CBLAS or oneDNN must remain")

find_package(PkgConfig QUIET)
set(lamina_problems "") # lines about what is missing
set(lamina_lines "")    # text about what was found
string(REPLACE ":" ";" lamina_include_hints "$ENV{CPATH}:$ENV{C_INCLUDE_PATH}")
string(REPLACE ":" ";" lamina_library_hints "$ENV{LIBRARY_PATH}:$ENV{LD_LIBRARY_PATH}")

# ---- the rows ----

set(lamina_header ${CMAKE_CURRENT_SOURCE_DIR}/common/base/libraries.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${lamina_header})
file(READ ${lamina_header} lamina_rest)
set(lamina_optional_words "")
string(REPEAT ", \"([^\"]*)\"" 4 lamina_fields)
while(lamina_rest MATCHES "    X[(]([a-z0-9]+)${lamina_fields}[)]") # not a list: texts may hold semicolons
  set(word ${CMAKE_MATCH_1})
  set(lamina_${word}_name "${CMAKE_MATCH_2}")
  set(lamina_${word}_debian "${CMAKE_MATCH_3}")
  set(lamina_${word}_module "${CMAKE_MATCH_4}")
  set(lamina_${word}_lost "${CMAKE_MATCH_5}")
  if(lamina_${word}_lost)
    list(APPEND lamina_optional_words ${word})
  endif()
  string(REPLACE "${CMAKE_MATCH_0}" "" lamina_rest "${lamina_rest}")
endwhile()

list(JOIN lamina_optional_words ", " lamina_choices)

# ---- looking for one ----

# lamina_problem(TEXT): all problems are told together, at the end.
macro(lamina_problem)
  string(APPEND lamina_problems "  ${ARGV0}\n")
endmacro()

# lamina_lacks(WORD): one line about a required library that is not there.
macro(lamina_lacks word)
  lamina_problem("${lamina_${word}_name} was not found: install ${lamina_${word}_debian} (Debian, Ubuntu), load or install ${lamina_${word}_module} \
(modules, Spack), or name its prefix in CMAKE_PREFIX_PATH")
endmacro()

# lamina_wanted(WORD OUT): is it not left out by LAMINA_WITHOUT? `all` spares CBLAS, without which there are no products at all.
function(lamina_wanted word out)
  set(wanted TRUE)
  if(word IN_LIST LAMINA_WITHOUT OR ("all" IN_LIST LAMINA_WITHOUT AND NOT word STREQUAL "blas"))
    set(wanted FALSE)
  endif()
  set(${out} ${wanted} PARENT_SCOPE)
endfunction()

# lamina_find(WORD [PKG module...] HEADER file LIBRARY name...): the interface library lamina_WORD, and WORD_FOUND.
function(lamina_find word)
  cmake_parse_arguments(F "" "HEADER" "PKG;LIBRARY" ${ARGN})
  if(NOT TARGET lamina_${word})
    add_library(lamina_${word} INTERFACE)
  endif()
  string(TOUPPER LAMINA_${word} upper)
  set(found FALSE)
  if(PKG_CONFIG_FOUND AND F_PKG)
    pkg_search_module(${upper}_PKG QUIET IMPORTED_TARGET ${F_PKG})
    if(${upper}_PKG_FOUND)
      target_link_libraries(lamina_${word} INTERFACE PkgConfig::${upper}_PKG)
      set(found TRUE)
    endif()
  endif()
  if(NOT found)
    find_path(${upper}_INCLUDE ${F_HEADER} HINTS ${lamina_include_hints})
    find_library(${upper}_LIBRARY NAMES ${F_LIBRARY} HINTS ${lamina_library_hints})
    mark_as_advanced(${upper}_INCLUDE ${upper}_LIBRARY)
    if(${upper}_INCLUDE AND ${upper}_LIBRARY)
      target_include_directories(lamina_${word} SYSTEM INTERFACE ${${upper}_INCLUDE})
      target_link_libraries(lamina_${word} INTERFACE ${${upper}_LIBRARY})
      set(found TRUE)
    endif()
  endif()
  set(${word}_FOUND ${found} PARENT_SCOPE)
endfunction()

# lamina_required(WORD, and what lamina_find takes)
macro(lamina_required word)
  lamina_find(${word} ${ARGN})
  if(NOT ${word}_FOUND)
    lamina_lacks(${word})
  endif()
endmacro()

# lamina_settle(WORD): LAMINA_HAVE_WORD=1 where it was found, else lamina_WORD is empty; and the line that says so.
macro(lamina_settle word)
  if(${word}_FOUND)
    string(TOUPPER ${word} lamina_upper)
    target_compile_definitions(lamina_${word} INTERFACE LAMINA_HAVE_${lamina_upper}=1)
    string(APPEND lamina_lines "--   ${lamina_${word}_name}: yes\n")
  else()
    string(APPEND lamina_lines "--   ${lamina_${word}_name}: NO: ${lamina_${word}_lost} (Debian, Ubuntu: ${lamina_${word}_debian}; modules, Spack: ${lamina_${word}_module})\n")
  endif()
endmacro()

# lamina_optional(WORD, and what lamina_find takes)
macro(lamina_optional word)
  add_library(lamina_${word} INTERFACE)
  set(${word}_FOUND FALSE)
  lamina_wanted(${word} lamina_is_wanted)
  if(lamina_is_wanted)
    lamina_find(${word} ${ARGN})
  endif()
  lamina_settle(${word})
endmacro()

# ---- all of them ----

foreach(word IN LISTS LAMINA_WITHOUT)
  if(NOT word IN_LIST lamina_optional_words AND NOT word STREQUAL "all")
    lamina_problem("LAMINA_WITHOUT names '${word}', which is no optional library: give words of ${lamina_choices}, or all")
  endif()
endforeach()

find_package(OpenMP COMPONENTS C)
if(NOT OpenMP_C_FOUND)
  lamina_lacks(openmp)
endif()
include(cmake/mpi.cmake)
lamina_required(yaml PKG yaml-0.1 HEADER yaml.h LIBRARY yaml)
lamina_required(jansson PKG jansson HEADER jansson.h LIBRARY jansson)
lamina_required(xxhash PKG libxxhash HEADER xxhash.h LIBRARY xxhash)
lamina_required(zlib PKG zlib HEADER zlib.h LIBRARY z)

lamina_optional(dnnl HEADER oneapi/dnnl/dnnl.h LIBRARY dnnl) # its CMake package asks for OpenCL, which a clean Debian lacks
include(cmake/blas.cmake)
lamina_optional(pcre2 PKG libpcre2-8 HEADER pcre2.h LIBRARY pcre2-8)
lamina_optional(utf8proc PKG libutf8proc HEADER utf8proc.h LIBRARY utf8proc)
lamina_optional(zstd PKG libzstd HEADER zstd.h LIBRARY zstd)
lamina_optional(bzip2 HEADER bzlib.h LIBRARY bz2)
lamina_optional(xz PKG liblzma HEADER lzma.h LIBRARY lzma)

if(LAMINA_TESTS) # Check is no part of the program
  lamina_find(check PKG check HEADER check.h LIBRARY check)
  find_library(LAMINA_SUBUNIT_LIBRARY subunit HINTS ${lamina_library_hints}) # what a static libcheck needs, as Debian's
  mark_as_advanced(LAMINA_SUBUNIT_LIBRARY)
  if(LAMINA_SUBUNIT_LIBRARY AND NOT LAMINA_CHECK_PKG_FOUND)
    target_link_libraries(lamina_check INTERFACE ${LAMINA_SUBUNIT_LIBRARY} m)
  endif()
  if(check_FOUND)
    string(APPEND lamina_lines "--   Check: yes\n")
  else()
    string(APPEND lamina_lines "--   Check: NO: no tests are built\n")
  endif()
endif()

if(lamina_problems)
  message(FATAL_ERROR "\n${lamina_problems}") # lines that begin with a space are printed as they are
endif()

function(lamina_print_libraries)
  message(STATUS "MPI ${MPI_C_VERSION} (${LAMINA_MPI}), HDF5 ${LAMINA_HDF5_VERSION}; optional libraries:\n${lamina_lines}--   to leave some out: -DLAMINA_WITHOUT=\"WORD;WORD\" of ${lamina_choices}, or all")
endfunction()
