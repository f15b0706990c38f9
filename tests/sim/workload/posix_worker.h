#pragma once

#include <list>
#include <string>
#include <vector>

#include "tests/sim/workload/posix_workload.h"

namespace gabion {

/// One worker of PosixWorkload with its model.
class PosixWorker {
 public:
  PosixWorker(PosixWorkload& owner, unsigned index);

  Task<void> Run();
  const std::string& base() const { return base_; }
  const ModelFs& model() const { return model_; }

 private:
  struct Handle {
    Fd fd;
    PosixCalls* client = nullptr;
    ModelNodePtr node;
  };
  using HandleList = std::list<Handle>;
  static constexpr std::size_t kMaxHandles = 4;

  // Each is one call (or some that belong together) and its check.
  Task<void> Step();
  Task<void> StepOnHandle();
  Task<void> WriteFile();
  Task<void> ReadFile();
  Task<void> Truncate();
  Task<void> Mkdir();
  Task<void> Rmdir();
  Task<void> Unlink();
  Task<void> Link();
  Task<void> Rename();
  Task<void> Stat();
  Task<void> List();
  Task<void> OpenHandle();
  Task<void> OpenToRead(PosixCalls& client, std::string path);
  Task<void> CloseHandle(HandleList::iterator handle);
  Task<void> WriteHandle(Handle& handle);
  Task<void> ReadHandle(Handle& handle);
  Task<void> CutHandle(Handle& handle);
  Task<void> SyncHandle(Handle& handle);
  Task<void> StatHandle(Handle& handle);

  template <typename T, typename U>
  bool Agree(const std::string& what, const Result<T>& got, const Result<U>& wanted) {
    const ErrorCode got_code = got ? ErrorCode::kOk : got.error().code();
    const ErrorCode wanted_code = wanted ? ErrorCode::kOk : wanted.error().code();
    Note(what, got_code);
    if (got_code == wanted_code) return got.has_value();
    Fail(what, std::string("the model says ") + std::string(ToString(wanted_code)) + ", the answer was " +
                   (got ? "OK" : got.error().ToString()));
    return false;
  }
  void CheckBytes(const std::string& what, const std::string& got, const std::string& wanted, std::uint64_t offset);
  void CheckAttr(const std::string& what, const FileAttr& got, const ModelNode& wanted);
  void Note(const std::string& what, ErrorCode code);
  void Fail(const std::string& what, const std::string& why);

  std::string RandomPath();
  std::string Full(const std::string& path) const { return base_ + path; }
  std::string RandomBytes();
  std::uint64_t RandomOffset(const ModelNode& node);
  PosixCalls& RandomClient();
  HandleList::iterator RandomHandle();

  PosixWorkload& owner_;
  SimRandom random_;
  const std::string base_;
  ModelFs model_;
  HandleList handles_;
};

}  // namespace gabion
