# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       Faults on purpose: whatever happens to device, memory and line is noticed, and costs time at most,
...                 never a wrong number.
Resource            tinyhil.resource


*** Test Cases ***
A Reset In The Middle Of An Inference Should Be Noticed And Survived
    Device Holds The Model
    Reset Device During Inference
    Load Model    ${MODEL}
    Golden Vectors Should Pass

A Flipped Bit Of The Model In Flash Should Be Refused
    Device Holds The Model
    Flip Model Bit    byte=100    bit=3
    Loading Should Be Refused    SLOT_CRC
    Flip Model Bit    byte=101    bit=0
    Loading Should Be Refused    SLOT_CRC

Lost Bytes On The UART Should Not Change A Number
    Device Holds The Model
    Lose Uart Bytes    every=997
    Golden Vectors Should Pass    at_most=8
    Lose Uart Bytes    every=0
    Golden Vectors Should Pass    at_most=2
