// SPDX-License-Identifier: Apache-2.0
// What this image is. Defined in a file that the build generates, so that all else is shared between boards.
#ifndef TINYHIL_APP_BUILD_INFO_H_
#define TINYHIL_APP_BUILD_INFO_H_

namespace tinyhil {

extern const char kBoardName[];
extern const char kBuildId[];  // 16 hexadecimal digits over all that the image is made of
extern const char kVersion[];  // of tinyhil
extern const char kEngine[];
extern const char kKernels[];
extern const char kImageKind[];  // "slot": every operator, model in the slot; "bundled": model linked in
extern const char kCompiler[];

}  // namespace tinyhil

#endif  // TINYHIL_APP_BUILD_INFO_H_
