// SPDX-License-Identifier: Apache-2.0
// The operators of this image. kOps is a link-time table: an image with every operator takes
// kernels/<set>/all_ops.cc, a bundled image a generated table of its model's operators alone, so the linker
// drops what is not used.
#ifndef TINYHIL_INTERPRETER_RESOLVER_H_
#define TINYHIL_INTERPRETER_RESOLVER_H_

#include <stdint.h>

namespace tinyhil {

struct OpRegistration;

extern const OpRegistration* const kOps[];
extern const uint32_t kOpCount;

// The registration of a builtin operator (by code) or of a custom one (by name); null where there is none.
const OpRegistration* FindBuiltin(uint32_t builtin_code);
const OpRegistration* FindCustom(const char* name, uint32_t name_length);

}  // namespace tinyhil

#endif  // TINYHIL_INTERPRETER_RESOLVER_H_
