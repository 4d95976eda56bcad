# Compiler flags of the whole house, and the helper by which a folder becomes a library.

get_filename_component(lamina_root ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)

add_library(lamina_flags INTERFACE)
target_include_directories(lamina_flags INTERFACE ${lamina_root})
target_compile_definitions(lamina_flags INTERFACE _GNU_SOURCE)
target_compile_options(lamina_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wformat=2 -Wundef -Wdouble-promotion -Wpointer-arith -Wcast-qual -Wno-unused-parameter
  -fno-common)
# Messages, traces and debugging information name common/base/arena.c, not where it was built: an installed tree knows no other place.
target_compile_options(lamina_flags INTERFACE -ffile-prefix-map=${CMAKE_BINARY_DIR}=build -ffile-prefix-map=${lamina_root}/=)
# What changes code: the same bits wherever it is compiled, so no silent fused multiply-add.
set(LAMINA_CODE_FLAGS -ffp-contract=off -fno-math-errno -fno-trapping-math)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND LAMINA_CODE_FLAGS -march=x86-64-v2) # SIMD files have flags of their own and are chosen at run time
endif()
target_compile_options(lamina_flags INTERFACE ${LAMINA_CODE_FLAGS})
if(LAMINA_WERROR)
  target_compile_options(lamina_flags INTERFACE -Werror)
endif()
if(LAMINA_SANITIZE)
  target_compile_options(lamina_flags INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(lamina_flags INTERFACE -fsanitize=address,undefined)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -DLAMINA_DEBUG=1")

# lamina_library(NAME DEPENDS a b LINK x y SUBFOLDERS s t EXCLUDE regex): every .c file of this folder, and of its SUBFOLDERS, is one static
# library. DEPENDS are our own libraries (who may include whom stands in tests/lint/map.txt), LINK are outside ones.
function(lamina_library name)
  cmake_parse_arguments(L "" "" "DEPENDS;LINK;SUBFOLDERS;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  foreach(sub IN LISTS L_SUBFOLDERS)
    file(GLOB more CONFIGURE_DEPENDS ${sub}/*.c)
    list(APPEND sources ${more})
  endforeach()
  foreach(ex IN LISTS L_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ex}")
  endforeach()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ${L_DEPENDS} PRIVATE lamina_flags ${L_LINK})
endfunction()
