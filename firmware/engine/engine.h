// SPDX-License-Identifier: Apache-2.0
// The one interface between the application and whatever executes the model.
//
// An image links exactly one engine. Nothing here allocates: the engine lives in the arena it is given.
#ifndef TINYHIL_ENGINE_ENGINE_H_
#define TINYHIL_ENGINE_ENGINE_H_

#include <stdint.h>

#include "interpreter/error.h"

namespace tinyhil {

// Values as in the TensorType enumeration of the TFLite schema.
enum class TensorType : uint8_t {
  kFloat32 = 0,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9,
  kResource = 13,  // the handle of a variable: it holds no data
};

struct TensorInfo {
  TensorType type;
  uint8_t rank;
  const int32_t* dims;  // rank entries, in the model
  float scale;          // 0 where the tensor is not quantized
  int32_t zero_point;
  void* data;
  uint32_t bytes;
};

struct Bytes {
  const void* data;
  uint32_t size;
};

// Called around each operator of Invoke: `op` counts from 0 in execution order.
class OpHook {
 public:
  virtual void Begin(uint32_t op) = 0;
  virtual void End(uint32_t op) = 0;

 protected:
  ~OpHook() = default;
};

enum class Access : uint8_t { kRead, kWritten };

class Engine {
 public:
  virtual const char* Name() const = 0;     // "builtin", "tflm"
  virtual const char* Kernels() const = 0;  // "reference", "cmsis_nn"

  // Parses `model` in place (it must stay readable and 16-byte aligned) and plans it into `arena`
  // (16-byte aligned). After an error no model is loaded.
  virtual Error Load(const uint8_t* model, uint32_t model_bytes, uint8_t* arena, uint32_t arena_bytes) = 0;
  virtual bool Loaded() const = 0;

  // Forgets what inferences left behind: variables hold again what they held after Load. Only while Loaded().
  virtual void ResetState() {}

  // One inference over the input tensors as they stand. Input tensors may be overwritten by it.
  virtual Error Invoke(OpHook* hook) = 0;  // hook may be null

  virtual uint32_t InputCount() const = 0;
  virtual uint32_t OutputCount() const = 0;
  virtual TensorInfo Input(uint32_t index) const = 0;   // index < InputCount()
  virtual TensorInfo Output(uint32_t index) const = 0;  // index < OutputCount()

  virtual uint32_t OpCount() const = 0;
  virtual const char* OpName(uint32_t op) const = 0;  // "CONV_2D", or a custom operator's name
  // The k-th tensor that operator `op` reads or writes, constants, variables and their handles left out; false past
  // the last.
  virtual bool OpTensor(uint32_t op, Access access, uint32_t k, Bytes* out) const = 0;
  // Whose kernel computes operator `op` of the loaded model: "reference", "cmsis_nn", or "" where the engine cannot
  // say; and in how many Invokes since Load it did, counted where the kernel runs.
  virtual const char* OpPath(uint32_t op) const = 0;
  virtual uint32_t OpPathRuns(uint32_t op) const = 0;

  virtual uint32_t ArenaUsed() const = 0;  // bytes, all that Load placed in the arena

 protected:
  ~Engine() = default;
};

// The engine of this image.
Engine& TheEngine();

}  // namespace tinyhil

#endif  // TINYHIL_ENGINE_ENGINE_H_
