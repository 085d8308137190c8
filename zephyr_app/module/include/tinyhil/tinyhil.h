/* SPDX-License-Identifier: Apache-2.0 */
/* tinyhil in a Zephyr application. The engine's own interface, for C++: "engine/engine.h". */
#ifndef TINYHIL_TINYHIL_H_
#define TINYHIL_TINYHIL_H_

#ifdef __cplusplus
extern "C" {
#endif

/* The command loop (CONFIG_TINYHIL_LINK). Never returns. In test mode a thread of its own calls it. */
void tinyhil_run(void);

#ifdef __cplusplus
}
#endif

#endif /* TINYHIL_TINYHIL_H_ */
