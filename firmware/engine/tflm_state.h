// SPDX-License-Identifier: Apache-2.0
// What a model keeps from one inference to the next, as far as TFLite Micro leaves it to its user: it wants to know how
// many variables there are, trusts their names, and has no way to let CALL_ONCE call again.
#ifndef TINYHIL_ENGINE_TFLM_STATE_H_
#define TINYHIL_ENGINE_TFLM_STATE_H_

#include <stdint.h>

#include "interpreter/model.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tinyhil {

class TflmState {
 public:
  // Refuses a VAR_HANDLE or CALL_ONCE that would lead TFLite Micro out of the file, or into a circle; any other
  // operator passes. Comes for every operator of `model` in turn, before what follows.
  bool Check(Model& model, const Operator& op);

  uint32_t Variables(const tflite::Model& model) const;  // that its handles name

  // Lets every CALL_ONCE of a model that is ready to run call its subgraph again.
  void ForgetCalls(const tflite::Model& model, TfLiteContext* context) const;

 private:
  bool CheckHandle(Model& model, const Operator& op);
  bool CheckCall(Model& model, const Operator& op);

  bool calls_ = false;
  bool handles_ = false;
  bool lacks_container_ = false;
};

}  // namespace tinyhil

#endif  // TINYHIL_ENGINE_TFLM_STATE_H_
