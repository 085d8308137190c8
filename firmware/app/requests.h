// SPDX-License-Identifier: Apache-2.0
// The frame language: one request in, one reply out. firmware/link/README.md describes each.
//
// RAM: the reply (kFrameBytes; the caller's, so that it is no initial value in flash), which is also what makes RUN
// happen once: while it is a RUN's, the same request again gets the same bytes; after that it is refused. All other
// requests may be repeated without harm.
#ifndef TINYHIL_APP_REQUESTS_H_
#define TINYHIL_APP_REQUESTS_H_

#include <stdint.h>

#include "app/model_runner.h"
#include "engine/engine.h"
#include "link/cobs.h"
#include "link/payload.h"
#include "link/receiver.h"

namespace tinyhil {

class Requests {
 public:
  // `serve` reads what the UART has, once, and answers it: what the device does while a run is stopped.
  constexpr Requests(ModelRunner& runner, CobsEncoder& encoder, void (*serve)(), uint8_t (&reply)[kFrameBytes])
      : runner_(runner), encoder_(encoder), serve_(serve), reply_(reply) {}

  // Answers one frame, in place or over the link. `damaged_frames`: how many came unreadable since the start.
  void Answer(const Header& header, const uint8_t* payload, uint32_t size, uint32_t damaged_frames);

  // Says that something came and was no frame, so that the host need not wait to find out. Nothing where no session is
  // open: it may be a person who types.
  void ReportDamaged(uint32_t damaged_frames);

  uint32_t session() const { return session_; }

 private:
  class Stops;

  // A moment of a run: 2 * op before that operator, one more after it.
  using Moment = uint32_t;

  // A repeated RUN can only be this many requests late, or it is another that has the same number.
  static constexpr uint16_t kLateRequests = 4096;

  Error Handle(const Header& header, PayloadReader& in, PayloadWriter& out, uint32_t damaged_frames);
  Error Open(const Header& header, PayloadReader& in);
  Error Info(PayloadReader& in, PayloadWriter& out, uint32_t damaged_frames) const;
  Error SlotWrite(PayloadReader& in);
  Error SlotCheck(PayloadReader& in, PayloadWriter& out) const;
  Error SlotCrc(PayloadReader& in, PayloadWriter& out) const;
  Error Load(PayloadReader& in, PayloadWriter& out);
  Error Tensor(PayloadReader& in, PayloadWriter& out) const;
  Error Ops(PayloadReader& in, PayloadWriter& out) const;
  Error Paths(PayloadReader& in, PayloadWriter& out) const;
  Error InputWrite(PayloadReader& in);
  Error Run(PayloadReader& in, PayloadWriter& out);
  Error OutputRead(PayloadReader& in, PayloadWriter& out) const;
  Error Results(bool profile, PayloadReader& in, PayloadWriter& out) const;
  Error Memory(PayloadReader& in, PayloadWriter& out) const;
  Error Break(const Header& header, PayloadReader& in, PayloadWriter& out);
  Error Step(const Header& header, PayloadReader& in, PayloadWriter& out);
  Error OpTensor(PayloadReader& in, PayloadWriter& out) const;
  Error OpRead(PayloadReader& in, PayloadWriter& out) const;
  Error OpWrite(PayloadReader& in);
  Error Baud(PayloadReader& in);
  Error Echo(PayloadReader& in, PayloadWriter& out) const;

  Error ReadMoment(PayloadReader& in, Moment* moment) const;
  void Reach(Moment moment);
  static void AppendMoment(Moment moment, PayloadWriter& out);

  void AppendResults(bool profile, uint32_t first, uint32_t count, PayloadWriter& out) const;
  static void SendProgress(void* requests, uint32_t op);
  void SendUnasked(Request type, uint16_t seq, uint32_t number);
  void Send(const Header& header, uint8_t status, uint32_t payload_size);

  ModelRunner& runner_;
  CobsEncoder& encoder_;
  void (*const serve_)();
  uint8_t (&reply_)[kFrameBytes];
  uint32_t session_ = 0;
  bool ran_ = false;  // run_seq_ has been executed
  bool reply_is_of_run_ = false;
  uint16_t run_seq_ = 0;
  bool stopped_ = false;   // a run waits in Reach
  bool answered_ = false;  // what Handle was given has its reply, or gets it later
  bool owed_ = false;      // owed_to_ waits for the run to get there
  Header owed_to_ = {};
  Moment at_ = 0;
  Moment wanted_ = 0;
  uint32_t reply_size_ = 0;
  uint32_t new_baud_ = 0;  // to be set once the reply has left
};

}  // namespace tinyhil

#endif  // TINYHIL_APP_REQUESTS_H_
