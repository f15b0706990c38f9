#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/env/real/unique_fd.h"

namespace gabion {

/// A server's directory, which nobody else uses while this object lives: a lock on its file `lock`, which the kernel
/// takes back when the process dies, however it dies. Blocks; for program start.
class DataDirectory {
 public:
  /// Makes the directory if it is not there. Errors: kBusy: another server has it; kIo, kNoSpace.
  static Result<DataDirectory> Open(const std::string& path);

  const std::string& path() const { return path_; }

  /// A directory in it, made if it is not there; returns its path. Errors: kIo, kNoSpace.
  Result<std::string> Subdirectory(const std::string& name) const;

  /// A small file's text, without the newline at its end; nothing if there is no such file. Errors: kIo.
  Result<std::optional<std::string>> ReadLine(const std::string& name) const;

  /// Durable when it returns; a crash leaves the old or the new text. Errors: kIo, kNoSpace.
  Result<void> WriteLine(const std::string& name, std::string_view text) const;

  /// A file, or a directory with all that is in it; fine if there is none. Durable when it returns. Errors: kIo.
  Result<void> Remove(const std::string& name) const;

 private:
  DataDirectory(std::string path, UniqueFd directory, UniqueFd lock)
      : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd directory_;
  UniqueFd lock_;
};

}  // namespace gabion
