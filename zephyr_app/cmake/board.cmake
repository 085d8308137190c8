# SPDX-License-Identifier: Apache-2.0
# Before find_package(Zephyr): which of our boards this is, and the files of boards/ that go with it.
include_guard(GLOBAL)

# boards/<board.yaml's name>/app.conf and app.overlay for every image; slot.conf and slot.overlay where the model is in
# the slot. Whoever sets DTC_OVERLAY_FILE takes the overlays' place.
macro(tinyhil_choose_board_files)
  if(NOT TINYHIL_BOARD)
    tinyhil_find_board("${BOARD}" TINYHIL_BOARD)
  endif()
  set(tinyhil_kinds app)
  if(NOT TINYHIL_MODEL)
    list(APPEND tinyhil_kinds slot)
  endif()
  set(tinyhil_confs "")
  set(tinyhil_overlays "")
  foreach(kind IN LISTS tinyhil_kinds)
    set(file ${tinyhil_app}/boards/${TINYHIL_BOARD}/${kind})
    if(TINYHIL_BOARD AND EXISTS ${file}.conf)
      list(APPEND tinyhil_confs ${file}.conf)
    endif()
    if(TINYHIL_BOARD AND EXISTS ${file}.overlay)
      list(APPEND tinyhil_overlays ${file}.overlay)
    endif()
  endforeach()
  list(APPEND tinyhil_confs ${TINYHIL_CONF})  # what the board's own board.yaml names
  if(TINYHIL_BOARD STREQUAL "native")
    # The UART is the process's standard input and output; newer versions have another name for that.
    set(tinyhil_option CONFIG_NATIVE_UART_0_ON_STDINOUT)
    if(EXISTS $ENV{ZEPHYR_BASE}/drivers/serial/Kconfig.native_pty)
      set(tinyhil_option CONFIG_UART_NATIVE_PTY_0_ON_STDINOUT)
    endif()
    set(tinyhil_text "${tinyhil_option}=y\n")
    if(EXISTS $ENV{ZEPHYR_BASE}/drivers/console/native_posix_console.c)
      string(APPEND tinyhil_text "CONFIG_NATIVE_POSIX_STDOUT_CONSOLE=n\n")  # before 3.4 it needs printk
    endif()
    file(WRITE ${CMAKE_BINARY_DIR}/tinyhil_uart.conf "${tinyhil_text}")
    list(APPEND tinyhil_confs ${CMAKE_BINARY_DIR}/tinyhil_uart.conf)
  endif()
  list(APPEND tinyhil_overlays ${TINYHIL_OVERLAY})
  # EXTRA_CONF_FILE was OVERLAY_CONFIG before 3.4.
  tinyhil_read_zephyr_version("$ENV{ZEPHYR_BASE}" tinyhil_zephyr_version)
  if(tinyhil_zephyr_version AND tinyhil_zephyr_version VERSION_LESS 3.4)
    list(APPEND OVERLAY_CONFIG ${tinyhil_confs})
  else()
    if(NOT CONFIG_TINYHIL_ENGINE_TFLM)
      list(APPEND tinyhil_confs ${tinyhil_app}/no_malloc.conf)
    endif()
    list(APPEND EXTRA_CONF_FILE ${tinyhil_confs})
  endif()
  if(tinyhil_overlays AND NOT DTC_OVERLAY_FILE)
    set(DTC_OVERLAY_FILE "${tinyhil_overlays}")
  endif()
endmacro()

# The name in platforms/ whose board.yaml names this Zephyr board, old name or new; "" where there is none.
function(tinyhil_find_board board result)
  set(${result} "" PARENT_SCOPE)
  if(board STREQUAL "")
    return()
  endif()
  string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern "${board}")
  file(GLOB files ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../platforms/*/board.yaml)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    if(text MATCHES "\nzephyr:([^\n]|\n )*[: \"']${pattern}[ \"',}\n]")
      get_filename_component(folder ${file} DIRECTORY)
      get_filename_component(name ${folder} NAME)
      set(${result} ${name} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# What picolibc GCC brings, for Kconfig: "toolchain", or "" where it has none.
function(tinyhil_choose_libc)
  set(found "")
  if("$ENV{ZEPHYR_TOOLCHAIN_VARIANT}" STREQUAL "gnuarmemb" AND DEFINED ENV{GNUARMEMB_TOOLCHAIN_PATH})
    execute_process(
      COMMAND $ENV{GNUARMEMB_TOOLCHAIN_PATH}/bin/arm-none-eabi-gcc -print-file-name=picolibc.specs
      OUTPUT_VARIABLE specs
      OUTPUT_STRIP_TRAILING_WHITESPACE
      ERROR_QUIET)
    if(IS_ABSOLUTE "${specs}")
      set(found toolchain)
    endif()
  endif()
  set(ENV{TINYHIL_PICOLIBC} "${found}")
endfunction()
