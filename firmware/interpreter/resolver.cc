// SPDX-License-Identifier: Apache-2.0
#include "interpreter/resolver.h"

#include "interpreter/kernel.h"

namespace tinyhil {

const OpRegistration* FindBuiltin(uint32_t builtin_code) {
  for (uint32_t i = 0; i < kOpCount; ++i) {
    if (kOps[i]->builtin_code == builtin_code && builtin_code != schema::kCustom) return kOps[i];
  }
  return nullptr;
}

const OpRegistration* FindCustom(const char* name, uint32_t name_length) {
  for (uint32_t i = 0; i < kOpCount; ++i) {
    if (kOps[i]->builtin_code != schema::kCustom) continue;
    const char* own = kOps[i]->name;
    uint32_t at = 0;
    while (at < name_length && own[at] != '\0' && own[at] == name[at]) ++at;
    if (at == name_length && own[at] == '\0') return kOps[i];
  }
  return nullptr;
}

}  // namespace tinyhil
