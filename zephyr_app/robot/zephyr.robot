# SPDX-License-Identifier: Apache-2.0
*** Comments ***
What Zephyr's run_renode_test target and twister's robot harness run: image, script and UART come as ELF, RESC, UART.
The suites of robot/ test models; this one shows that the application is there and answers.

*** Settings ***
Test Setup        Start The Application

*** Test Cases ***
Application Should Start And Say That It Is Ready
    Wait For Line On Uart    m-init-done
    Wait For Line On Uart    m-ready

Application Should Answer Line After Line
    Wait For Line On Uart    m-ready
    FOR    ${_}    IN RANGE    3
        Write Line To Uart    hil mem *?    waitForEcho=False
        Wait For Line On Uart    hil mem arena-used=
        Wait For Line On Uart    m-ready
    END

Application Should Refuse What It Does Not Know
    Wait For Line On Uart    m-ready
    Write Line To Uart    nonsense    waitForEcho=False
    Wait For Line On Uart    e-[Unknown command: nonsense]
    Wait For Line On Uart    m-ready

*** Keywords ***
Start The Application
    Execute Command    $bin=${ELF}
    Execute Command    include ${RESC}
    Create Terminal Tester    ${UART}    timeout=10
    Start Emulation
