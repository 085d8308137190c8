# SPDX-License-Identifier: Apache-2.0
# Before find_package(Zephyr), after the board was chosen: `west build -t run` and `-t run_renode_test` in Renode, where
# platforms/ has the board for Renode and Zephyr has no emulator of its own for it.
include_guard(GLOBAL)

# The script that Zephyr hands to Renode is made here: older versions pass the image as $bin, newer ones as $elf, and
# this one needs neither. RENODE_UART is where run_renode_test listens: the Renode target's `uart` in board.yaml. What it
# sends is shown in Renode's log; its other end is the pseudo-terminal <build folder>/uart.
macro(tinyhil_choose_renode)
  set(tinyhil_platform ${tinyhil_app}/../platforms/${TINYHIL_BOARD})
  set(tinyhil_script ${tinyhil_platform}/${TINYHIL_BOARD}_zephyr.resc)
  if(TINYHIL_BOARD AND EXISTS ${tinyhil_script})
    set(SUPPORTED_EMU_PLATFORMS renode)
    file(READ ${tinyhil_platform}/board.yaml tinyhil_text)
    if(tinyhil_text MATCHES "\n +uart: *(sysbus\\.[a-z0-9_]+)")
      set(RENODE_UART ${CMAKE_MATCH_1})
    endif()
    set(RENODE_SCRIPT ${CMAKE_BINARY_DIR}/tinyhil.resc)
    file(
      WRITE ${RENODE_SCRIPT}
      "$bin=@${CMAKE_BINARY_DIR}/zephyr/zephyr.elf\n"
      "include @${tinyhil_script}\n"
      "showAnalyzer ${RENODE_UART}\n"
      "emulation CreateUartPtyTerminal \"terminal\" @${CMAKE_BINARY_DIR}/uart true\n"
      "connector Connect ${RENODE_UART} terminal\n")
  endif()
endmacro()
