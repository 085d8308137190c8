# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       The model stays within its budget: arena, stack, flash, instructions. Each budget is a variable; those
...                 here are for the model digits on a Cortex-M4. What does not fit is refused with the bytes missing.
Resource            tinyhil.resource


*** Variables ***
${MAX_ARENA_BYTES}          8192
${MAX_STACK_BYTES}          4096
${MAX_FLASH_BYTES}          131072
${MAX_INSTRUCTIONS}         1000000


*** Test Cases ***
Arena And Stack Should Stay Within Their Budgets
    Device Holds The Model
    Run Golden Vectors    vectors=2
    Arena Should Fit    ${MAX_ARENA_BYTES}
    Stack Should Fit    ${MAX_STACK_BYTES}

Flash Should Stay Within Its Budget
    Device Holds The Model
    Flash Should Not Exceed    ${MAX_FLASH_BYTES}

An Inference Should Stay Within Its Instructions
    Device Holds The Model
    Run Golden Vectors    vectors=1
    Instructions Should Not Exceed    ${MAX_INSTRUCTIONS}

An Arena That Is Too Small Should Be Refused With The Bytes Missing
    Start Device    ${BOARD}    ${TARGET}
    ${words}=    Loading Should Be Refused    ArenaOverflow    ${MODEL}    arena_bytes=256
    Should Match Regexp    ${words}    [\\d,]+ are missing

A Model Should Compute The Same In The Smallest Arena It Fits
    Start Device    ${BOARD}    ${TARGET}
    ${loaded}=    Load Model    ${MODEL}
    Load Model    ${MODEL}    arena_bytes=${loaded}[arena_used]
    Golden Vectors Should Pass    at_most=2
