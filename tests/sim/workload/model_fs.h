#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "tests/sim/workload/sparse_bytes.h"

namespace gabion {

/// A file or directory of the model; lives as long as somebody holds it, as an open file does.
struct ModelNode {
  bool is_directory = false;
  std::uint32_t nlink = 0;
  SparseBytes content;
  std::map<std::string, std::shared_ptr<ModelNode>> names;  // of a directory
};
using ModelNodePtr = std::shared_ptr<ModelNode>;

/// The oracle: a POSIX filesystem as plain as it can be written, with the error codes that a Vfs gives. Used by one.
class ModelFs {
 public:
  ModelFs();

  const ModelNodePtr& root() const { return root_; }

  /// Errors: kNotFound, kNotDirectory.
  Result<ModelNodePtr> Find(const std::string& path) const;
  /// The file, made if it is not there. Errors: kExists (`exclusive`), kIsDirectory.
  Result<ModelNodePtr> OpenOrCreate(const std::string& path, bool exclusive);
  /// Errors: kIsDirectory.
  Result<ModelNodePtr> Open(const std::string& path) const;
  Result<void> Mkdir(const std::string& path);
  Result<void> Rmdir(const std::string& path);
  Result<void> Unlink(const std::string& path);
  Result<void> Link(const std::string& from, const std::string& to);
  Result<void> Rename(const std::string& from, const std::string& to, bool no_replace, bool exchange);

  /// Every path below the root with its node, parents first.
  std::vector<std::pair<std::string, ModelNodePtr>> All() const;

 private:
  struct Place {
    ModelNodePtr parent;
    std::string name;
    ModelNodePtr node;  // null if the name is free
  };
  Result<Place> FindPlace(const std::string& path) const;
  static bool IsBelow(const ModelNodePtr& node, const ModelNodePtr& directory);
  static void Collect(const std::string& prefix, const ModelNode& directory,
                      std::vector<std::pair<std::string, ModelNodePtr>>& all);

  ModelNodePtr root_;
};

}  // namespace gabion
