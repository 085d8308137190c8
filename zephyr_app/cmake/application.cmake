# SPDX-License-Identifier: Apache-2.0
# What the application settles before find_package(Zephyr), wherever its CMakeLists.txt lies.
include_guard(GLOBAL)
get_filename_component(tinyhil_app ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
include(${CMAKE_CURRENT_LIST_DIR}/refusals.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/board.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/renode.cmake)
tinyhil_check_zephyr_version()
tinyhil_choose_board_files()
tinyhil_choose_renode()
tinyhil_choose_libc()

get_filename_component(tinyhil_root ${tinyhil_app} DIRECTORY)
list(APPEND ZEPHYR_EXTRA_MODULES ${tinyhil_root})
