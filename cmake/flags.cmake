# Compiler flags of the whole house, and the two helpers by which folders become libraries and tests become tests.

add_library(lamina_flags INTERFACE)
target_include_directories(lamina_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(lamina_flags INTERFACE _GNU_SOURCE)
target_compile_options(lamina_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wformat=2 -Wundef -Wdouble-promotion -Wpointer-arith -Wcast-qual -Wno-unused-parameter
  -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-common)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(lamina_flags INTERFACE -march=x86-64-v2)
endif()
if(LAMINA_WERROR)
  target_compile_options(lamina_flags INTERFACE -Werror)
endif()
if(LAMINA_SANITIZE)
  target_compile_options(lamina_flags INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(lamina_flags INTERFACE -fsanitize=address,undefined)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -DLAMINA_DEBUG=1")

# lamina_library(NAME DEPENDS a b LINK x y [PRIVATE p]): every .c file of this folder (and of SUBFOLDERS) is one static library.
# DEPENDS are our own libraries (their include rights follow the include map in tests/lint), LINK outside ones.
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
