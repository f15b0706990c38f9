#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fs-client/fuse/reply.h"

namespace gabion::fuse {

/// A transport that keeps the replies.
class RecordingSink : public ReplySink {
 public:
  struct Sent {
    std::uint64_t unique = 0;
    int error = 0;
    std::string body;
  };

  bool Send(ReplyTarget target, int error, std::span<const std::byte> body) override {
    sent.push_back({target.unique, error, {reinterpret_cast<const char*>(body.data()), body.size()}});
    return wanted;
  }
  bool Send(ReplyTarget target, const Payload& body) override {
    sent.push_back({target.unique, 0, body.ToString()});
    return wanted;
  }
  std::span<std::byte> Scratch(ReplyTarget, std::size_t size) override {
    scratch.resize(size);
    return scratch;
  }

  bool wanted = true;  // what the kernel says to a reply
  std::vector<Sent> sent;
  std::vector<std::byte> scratch;
};

}  // namespace gabion::fuse
