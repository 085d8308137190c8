// SPDX-License-Identifier: Apache-2.0
#include "app/error_text.h"

namespace tinyhil {

void AppendPath(const Error& error, LineWriter& line) {
  for (uint32_t i = 0; i < error.depth; ++i) {
    if (i != 0) line.Character('.');
    line.Text(error.path[i].name);
    if (error.path[i].index >= 0) line.Character('[').Signed(error.path[i].index).Character(']');
  }
}

}  // namespace tinyhil
