# Run at every build: writes built.c (its reader: coordinator/built.h), which stays as it is where nothing has changed. No date: the same source
# gives the same bytes. Given by -D: SOURCE, OUT, VERSION, TYPE, FLAGS, TARGET.

set(git git -C ${SOURCE} --no-optional-locks) # looking changes nothing, whoever owns the checkout
set(commit "")
execute_process(COMMAND ${git} rev-parse --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed STREQUAL "0")
  file(REAL_PATH "${top}" top)
  file(REAL_PATH "${SOURCE}" source)
  if(top STREQUAL source) # and not a checkout of something else around an unpacked archive
    execute_process(COMMAND ${git} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND ${git} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
    if(commit AND changes)
      string(APPEND commit "-modified")
    endif()
  endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/built.c.in ${OUT} @ONLY)
