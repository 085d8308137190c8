# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       The wire's text language: what is right is answered with checksums, what is wrong is refused by name,
...                 and nothing that is sent leaves the device in a state in which it computes something else.
Resource            tinyhil.resource


*** Test Cases ***
The Device Should Say Which Board And Image It Is
    ${info}=    Start Device    ${BOARD}    ${TARGET}
    Should Be Equal    ${info}[board]    ${BOARD}
    ${lines}=    Send Text Command    info
    Should Start With    ${lines}[1]    hil info board=${BOARD}

Help Should Name Every Command
    Start Device    ${BOARD}    ${TARGET}
    ${lines}=    Send Text Command    help
    ${text}=    Catenate    SEPARATOR=\n    @{lines}
    FOR    ${command}    IN    info    slot    load    input    run    output    ops    mem    reset
        Should Contain    ${text}    hil help ${command}
    END

A Damaged Line Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    ${words}=    Line Should Be Refused    hil mem *00000000    BAD_REQUEST
    Should Contain    ${words}    wrong checksum

A Line Without A Checksum Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    Line Should Be Refused    hil mem    BAD_REQUEST

Unknown Commands Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    Line Should Be Refused    hil dance *?    UNKNOWN_REQUEST
    ${lines}=    Send Line    dance
    Should Be Equal    ${lines}[0]    e-[Unknown command: dance]

A Line That Is Too Long Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    ${line}=    Evaluate    "x" * 400    # longer than a line, and within what every board can have waiting
    ${lines}=    Send Line    ${line}
    Should Be Equal    ${lines}[0]    e-[Unreadable command]

Commands Out Of Turn Or Out Of Range Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    Line Should Be Refused    hil run ? *?    NO_MODEL
    Load Model    ${MODEL}
    Line Should Be Refused    hil input 99 0 00 *?    BAD_INDEX
    Line Should Be Refused    hil input 0 4000000000 00 *?    BAD_RANGE
    Line Should Be Refused    hil input 0 0 0g *?    BAD_REQUEST
    Line Should Be Refused    hil output 0 0 4000000000 *?    BAD_RANGE
    Line Should Be Refused    hil run 00000000 *?    INPUT_CRC
    Line Should Be Refused    hil mem please *?    BAD_REQUEST

Whatever Was Refused Should Change Nothing
    Device Holds The Model
    Send Line    hil run ? ? ? ? *?
    Send Line    hil output 7 0 1 *?
    Send Line    nonsense
    Golden Vectors Should Pass

An Input Of Another Shape Or Type Should Be Refused
    Device Holds The Model
    Input Should Be Refused    3x1x4
    Input Should Be Refused    1x8x8x1    type=float32

A File That Is No Model Should Be Refused
    Start Device    ${BOARD}    ${TARGET}
    Loading Should Be Refused    NotTflite    model=${CURDIR}/README.md
