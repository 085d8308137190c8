# SPDX-License-Identifier: Apache-2.0
# What cannot work is refused here, by name and number, before Zephyr's own messages about what follows from it.
include_guard(GLOBAL)

set(TINYHIL_OLDEST_ZEPHYR 3.3)
set(TINYHIL_NEWEST_ZEPHYR_TRIED 3.4)

# FOLDER: ZEPHYR_BASE. Result: "3.4.0" in RESULT, or "" where there is no VERSION file.
function(tinyhil_read_zephyr_version folder result)
  set(version "")
  if(EXISTS ${folder}/VERSION)
    file(READ ${folder}/VERSION text)
    if(text MATCHES "VERSION_MAJOR *= *([0-9]+)[^0-9]+VERSION_MINOR *= *([0-9]+)[^0-9]+PATCHLEVEL *= *([0-9]+)")
      set(version ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
    endif()
  endif()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

function(tinyhil_check_zephyr_version)
  get_property(done GLOBAL PROPERTY tinyhil_zephyr_checked)
  if(done)
    return()  # the application and the module both ask
  endif()
  set_property(GLOBAL PROPERTY tinyhil_zephyr_checked TRUE)
  set(folder "$ENV{ZEPHYR_BASE}")
  if(ZEPHYR_BASE)
    set(folder ${ZEPHYR_BASE})
  endif()
  tinyhil_read_zephyr_version("${folder}" version)
  if(version STREQUAL "")
    return()  # Zephyr's own package finds it, or says that it does not
  endif()
  if(version VERSION_LESS ${TINYHIL_OLDEST_ZEPHYR})
    message(FATAL_ERROR "tinyhil: Zephyr ${version} (${folder}) is not supported: ${TINYHIL_OLDEST_ZEPHYR} is the oldest "
                        "that is. Point ZEPHYR_BASE at a newer one; zephyr_app/west.yml names one that was tried.")
  endif()
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" release "${version}")
  if(release VERSION_GREATER TINYHIL_NEWEST_ZEPHYR_TRIED)
    message(WARNING "tinyhil: Zephyr ${version} is newer than ${TINYHIL_NEWEST_ZEPHYR_TRIED}, the newest that was tried; "
                    "it is written for from Zephyr's documentation.")
  endif()
endfunction()

# A module that is missing shows in Zephyr as an unknown symbol or header somewhere.
function(tinyhil_check_modules)
  set(missing "")
  if(CONFIG_CPU_CORTEX_M AND NOT "cmsis" IN_LIST ZEPHYR_MODULE_NAMES AND NOT "cmsis_6" IN_LIST ZEPHYR_MODULE_NAMES)
    list(APPEND missing "cmsis (cmsis_6 since Zephyr 4.1)")
  endif()
  if((CONFIG_SOC_FAMILY_NRF OR CONFIG_SOC_FAMILY_NORDIC_NRF) AND NOT "hal_nordic" IN_LIST ZEPHYR_MODULE_NAMES)
    list(APPEND missing "hal_nordic")
  endif()
  if(CONFIG_SOC_FAMILY_STM32 AND NOT "hal_stm32" IN_LIST ZEPHYR_MODULE_NAMES
     AND NOT "stm32" IN_LIST ZEPHYR_MODULE_NAMES)  # which it calls itself has changed
    list(APPEND missing "hal_stm32")
  endif()
  if(missing)
    list(LENGTH missing count)
    list(JOIN missing ", " names)
    message(FATAL_ERROR "tinyhil: ${BOARD} needs ${count} Zephyr module(s) that the west workspace lacks: ${names}. "
                        "Run: west update")
  endif()
endfunction()
