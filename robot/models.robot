# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       Several models on one board, one after the other: none leaves anything behind that another computes
...                 with. MODELS is a list: names or files with commas between them.
Resource            tinyhil.resource


*** Variables ***
${MODELS}           ${MODEL}


*** Test Cases ***
Every Model Should Compute The Same Numbers On The Device
    Start Device    ${BOARD}    ${TARGET}
    ${models}=    Evaluate    $MODELS.split(",")
    FOR    ${model}    IN    @{models}
        Load Model    ${model}
        Golden Vectors Should Pass
    END

Models Should Compute The Same After One Another In Any Order
    Start Device    ${BOARD}    ${TARGET}
    ${models}=    Evaluate    $MODELS.split(",")
    ${backwards}=    Evaluate    $models[::-1] + $models
    FOR    ${model}    IN    @{backwards}
        Load Model    ${model}
        Golden Vectors Should Pass    at_most=1
    END
