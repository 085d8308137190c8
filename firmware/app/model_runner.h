// SPDX-License-Identifier: Apache-2.0
// Loads the model, feeds it, runs it, and keeps what a run found out about each operator. What both languages of the
// link do, they do through this.
//
// RAM: none of its own. All that the port leaves free (port::Arena) is the engine's, but for 16 bytes an operator at
// the end, where a run with checksums or profile notes its findings. Those 16 bytes are set aside before the model is
// planned wherever it fits beside them; where it only fits without, such runs are refused with the number that is
// missing.
#ifndef TINYHIL_APP_MODEL_RUNNER_H_
#define TINYHIL_APP_MODEL_RUNNER_H_

#include <stdint.h>

#include "app/model_source.h"
#include "engine/engine.h"

namespace tinyhil {

class ModelRunner {
 public:
  struct OpResult {
    uint32_t read_crc;   // CRC-32 chained over what it read, constants left out
    uint32_t wrote_crc;  // over what it wrote
    uint64_t milliticks;
  };

  struct Run {
    bool checksums = false;
    bool profile = false;
    bool keep_state = false;                            // variables as the last inference left them; else as after Load
    void (*progress)(void* of, uint32_t op) = nullptr;  // called as each operator begins
    void* progress_of = nullptr;
    const uint8_t* input_crcs = nullptr;  // u32, little-endian, one an input; null: taken as they are
  };

  // Verifies, loads and plans the model. `arena_limit`: 0 for all there is. `kept_bytes`: left alone at the end of RAM.
  Error Load(uint32_t arena_limit, uint32_t kept_bytes = 0);
  uint32_t loads() const { return loads_; }  // how often a model was to be loaded
  void Unload() { loaded_ = false; }
  bool loaded() const { return loaded_; }
  const ModelBytes& model() const { return model_; }

  uint32_t arena_bytes() const;  // what the model may use: the limit of Load, or all there is
  uint64_t set_up_milliticks() const {
    return set_up_milliticks_;
  }  // of the last Load; 0 where the port has no counter
  uint32_t arena_used() const { return loaded_ ? TheEngine().ArenaUsed() : 0; }

  Error FindTensor(bool output, uint32_t index, TensorInfo* tensor) const;
  Error WriteInput(uint32_t index, uint32_t offset, const uint8_t* data, uint32_t size);
  Error ReadOutput(uint32_t index, uint32_t offset, uint32_t size, const uint8_t** data) const;

  // One inference. Whatever happened to an input on the way or since (an inference may destroy it), the run is
  // refused unless the tensor's bytes have the checksum that was announced.
  Error RunOnce(const Run& run);

  // One inference that `hook` may hold at any operator; until it is over, nothing else may run, load or feed.
  Error RunStopping(const uint8_t* input_crcs, OpHook& hook);

  // The k-th tensor, constants left out, that operator `op` reads or writes.
  Error FindOpTensor(uint32_t op, Access access, uint32_t k, Bytes* bytes) const;

  // Of the last run that succeeded.
  bool has_ticks() const { return has_ticks_; }        // the port counts, and no hook distorted it
  uint64_t milliticks() const { return milliticks_; }  // of the inference alone; only where has_ticks()
  bool has_checksums() const { return has_checksums_; }
  bool has_profile() const { return has_profile_; }
  const OpResult& result(uint32_t op) const { return results_[op]; }

 private:
  class Hook;

  static constexpr uint32_t kUsualOps = 64;

  Error Busy() const;
  Error Place(uint32_t reserve_bytes);
  Error CheckInputs(const uint8_t* crcs) const;
  void Forget();

  ModelBytes model_;
  bool loaded_ = false;
  bool running_ = false;  // RunStopping
  bool has_ticks_ = false;
  bool has_checksums_ = false;
  bool has_profile_ = false;
  uint32_t arena_limit_ = 0;
  uint32_t kept_bytes_ = 0;
  uint32_t loads_ = 0;
  uint32_t result_room_bytes_ = 0;
  uint64_t milliticks_ = 0;
  uint64_t set_up_milliticks_ = 0;
  OpResult* results_ = nullptr;
};

}  // namespace tinyhil

#endif  // TINYHIL_APP_MODEL_RUNNER_H_
