// SPDX-License-Identifier: Apache-2.0
// What the device says of itself, as lines key=value.
#ifndef TINYHIL_APP_INFO_H_
#define TINYHIL_APP_INFO_H_

#include <stdint.h>

#include "link/text.h"

namespace tinyhil {

constexpr uint32_t kInfoLines = 17;

// Line number `index` < kInfoLines.
void AppendInfo(uint32_t index, uint32_t session, uint32_t damaged_frames, LineWriter& line);

}  // namespace tinyhil

#endif  // TINYHIL_APP_INFO_H_
