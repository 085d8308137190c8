# SPDX-License-Identifier: Apache-2.0
*** Settings ***
Documentation       The device computes the numbers that the oracle computes, bit for bit.
Resource            tinyhil.resource


*** Test Cases ***
Outputs Should Be Those Of The Oracle
    Device Holds The Model
    Run Golden Vectors
    Outputs Should Match Golden

A Model That Is Loaded Again Should Compute The Same
    Device Holds The Model
    Golden Vectors Should Pass    at_most=2
    Load Model    ${MODEL}
    Golden Vectors Should Pass    at_most=2
