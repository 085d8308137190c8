// SPDX-License-Identifier: Apache-2.0
// CRC-32 as zlib computes it (reflected polynomial 0xEDB88320): the one checksum of the wire, of the model slot and of
// tensors. Costs 1 KiB of constants and about eight instructions a byte.
#ifndef TINYHIL_LINK_CRC32_H_
#define TINYHIL_LINK_CRC32_H_

#include <stdint.h>

namespace tinyhil {

// The checksum of what `crc` covers followed by these bytes; `crc` is 0 at the start.
uint32_t Crc32(uint32_t crc, const void* data, uint32_t size);

}  // namespace tinyhil

#endif  // TINYHIL_LINK_CRC32_H_
