# SPDX-License-Identifier: Apache-2.0
# What Zephyr expects of the Zephyr SDK's C libraries and other toolchains' lack.

# Debian's newlib is built without retargetable locks: Zephyr's hooks refuse it until the macro is there, and malloc is
# locked through two functions of the older interface.
if(CONFIG_NEWLIB_LIBC)
  execute_process(
    COMMAND ${CMAKE_C_COMPILER} -E -dM -include newlib.h -x c /dev/null
    OUTPUT_VARIABLE macros
    ERROR_QUIET)
  if(NOT macros MATCHES "_RETARGETABLE_LOCKING")
    zephyr_compile_definitions(_RETARGETABLE_LOCKING=1)
    zephyr_library_sources(${CMAKE_CURRENT_LIST_DIR}/../module/newlib_locks.c)
  endif()
endif()

if(CONFIG_PICOLIBC AND NOT CONFIG_PICOLIBC_USE_MODULE AND ZEPHYR_TOOLCHAIN_VARIANT STREQUAL "gnuarmemb")
  execute_process(
    COMMAND ${CMAKE_C_COMPILER} -print-file-name=picolibc.specs
    OUTPUT_VARIABLE specs
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT IS_ABSOLUTE "${specs}")
    message(FATAL_ERROR "tinyhil: ${CMAKE_C_COMPILER} has no picolibc. Install it (Debian: picolibc-arm-none-eabi), or "
                        "choose newlib: -DCONFIG_NEWLIB_LIBC=y")
  endif()
  # Debian's has an assembler source that does not say whether it needs an executable stack. A microcontroller has no
  # other; but twister makes the linker's remark about it an error.
  zephyr_ld_options(-Wl,--no-warn-execstack)
endif()
