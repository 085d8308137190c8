// SPDX-License-Identifier: Apache-2.0
// An Error's path as a person reads it: subgraphs[0].operators[3].inputs
#ifndef TINYHIL_APP_ERROR_TEXT_H_
#define TINYHIL_APP_ERROR_TEXT_H_

#include "interpreter/error.h"
#include "link/text.h"

namespace tinyhil {

void AppendPath(const Error& error, LineWriter& line);

}  // namespace tinyhil

#endif  // TINYHIL_APP_ERROR_TEXT_H_
