# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       Every operator reads and writes on the device what it reads and writes in the oracle.
Resource            tinyhil.resource


*** Test Cases ***
Every Operator Should Compute What It Computes In The Oracle
    Device Holds The Model
    Run Golden Vectors
    Operator Checksums Should Match

The Device Should Name Each Operator With Its Checksums
    Device Holds The Model
    Run Golden Vectors    vectors=1
    ${lines}=    Send Text Command    ops
    Should Contain    ${lines}[0]    hil op 0
    Should Contain    ${lines}[0]    wrote=
