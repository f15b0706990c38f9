#include "tests/sim/workload/model_fs.h"

#include <utility>

namespace gabion {

ModelFs::ModelFs() : root_(std::make_shared<ModelNode>()) {
  root_->is_directory = true;
  root_->nlink = 2;
}

Result<ModelNodePtr> ModelFs::Find(const std::string& path) const {
  ModelNodePtr at = root_;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) continue;
    if (!at->is_directory) return Error(ErrorCode::kNotDirectory, path);
    const auto found = at->names.find(name);
    if (found == at->names.end()) return Error(ErrorCode::kNotFound, path);
    at = found->second;
  }
  return at;
}

Result<ModelFs::Place> ModelFs::FindPlace(const std::string& path) const {
  const std::size_t slash = path.find_last_of('/');
  Place place;
  TRY_ASSIGN(place.parent, Find(path.substr(0, slash)));
  if (!place.parent->is_directory) return Error(ErrorCode::kNotDirectory, path);
  place.name = path.substr(slash + 1);
  const auto found = place.parent->names.find(place.name);
  if (found != place.parent->names.end()) place.node = found->second;
  return place;
}

Result<ModelNodePtr> ModelFs::OpenOrCreate(const std::string& path, bool exclusive) {
  TRY_ASSIGN(Place place, FindPlace(path));
  if (place.node) {
    if (exclusive) return Error(ErrorCode::kExists, path);
    if (place.node->is_directory) return Error(ErrorCode::kIsDirectory, path);
    return place.node;
  }
  auto node = std::make_shared<ModelNode>();
  node->nlink = 1;
  place.parent->names[place.name] = node;
  return node;
}

Result<ModelNodePtr> ModelFs::Open(const std::string& path) const {
  TRY_ASSIGN(ModelNodePtr node, Find(path));
  if (node->is_directory) return Error(ErrorCode::kIsDirectory, path);
  return node;
}

Result<void> ModelFs::Mkdir(const std::string& path) {
  TRY_ASSIGN(Place place, FindPlace(path));
  if (place.node) return Error(ErrorCode::kExists, path);
  auto node = std::make_shared<ModelNode>();
  node->is_directory = true;
  node->nlink = 2;
  place.parent->names[place.name] = std::move(node);
  ++place.parent->nlink;
  return {};
}

Result<void> ModelFs::Rmdir(const std::string& path) {
  TRY_ASSIGN(Place place, FindPlace(path));
  if (!place.node) return Error(ErrorCode::kNotFound, path);
  if (!place.node->is_directory) return Error(ErrorCode::kNotDirectory, path);
  if (!place.node->names.empty()) return Error(ErrorCode::kNotEmpty, path);
  place.parent->names.erase(place.name);
  --place.parent->nlink;
  return {};
}

Result<void> ModelFs::Unlink(const std::string& path) {
  TRY_ASSIGN(Place place, FindPlace(path));
  if (!place.node) return Error(ErrorCode::kNotFound, path);
  if (place.node->is_directory) return Error(ErrorCode::kIsDirectory, path);
  place.parent->names.erase(place.name);
  --place.node->nlink;
  return {};
}

Result<void> ModelFs::Link(const std::string& from, const std::string& to) {
  TRY_ASSIGN(const ModelNodePtr node, Find(from));
  TRY_ASSIGN(Place place, FindPlace(to));
  if (node->is_directory) return Error(ErrorCode::kNotPermitted, from);
  if (place.node) return Error(ErrorCode::kExists, to);
  place.parent->names[place.name] = node;
  ++node->nlink;
  return {};
}

bool ModelFs::IsBelow(const ModelNodePtr& node, const ModelNodePtr& directory) {
  if (node == directory) return true;
  for (const auto& [name, child] : directory->names) {
    if (child->is_directory && IsBelow(node, child)) return true;
  }
  return false;
}

Result<void> ModelFs::Rename(const std::string& from, const std::string& to, bool no_replace, bool exchange) {
  TRY_ASSIGN(Place source, FindPlace(from));
  TRY_ASSIGN(Place target, FindPlace(to));
  if (!source.node) return Error(ErrorCode::kNotFound, from);
  if (target.node && no_replace) return Error(ErrorCode::kExists, to);
  if (source.node->is_directory && IsBelow(target.parent, source.node)) return Error(ErrorCode::kInvalidArgument, from);
  if (exchange) {
    if (!target.node) return Error(ErrorCode::kNotFound, to);
    if (target.node->is_directory && IsBelow(source.parent, target.node)) return Error(ErrorCode::kInvalidArgument, to);
    std::swap(source.parent->names[source.name], target.parent->names[target.name]);
    const auto moved = static_cast<std::uint32_t>(source.node->is_directory);
    const auto came = static_cast<std::uint32_t>(target.node->is_directory);
    source.parent->nlink += came - moved;
    target.parent->nlink += moved - came;
    return {};
  }
  if (target.node == source.node) return {};
  if (target.node) {
    if (source.node->is_directory && !target.node->is_directory) return Error(ErrorCode::kNotDirectory, to);
    if (!source.node->is_directory && target.node->is_directory) return Error(ErrorCode::kIsDirectory, to);
    if (!target.node->names.empty()) return Error(ErrorCode::kNotEmpty, to);
    if (target.node->is_directory) --target.parent->nlink;
    --target.node->nlink;
  }
  source.parent->names.erase(source.name);
  target.parent->names[target.name] = source.node;
  if (source.node->is_directory) {
    --source.parent->nlink;
    ++target.parent->nlink;
  }
  return {};
}

void ModelFs::Collect(const std::string& prefix, const ModelNode& directory,
                      std::vector<std::pair<std::string, ModelNodePtr>>& all) {
  for (const auto& [name, node] : directory.names) {
    all.emplace_back(prefix + "/" + name, node);
    if (node->is_directory) Collect(prefix + "/" + name, *node, all);
  }
}

std::vector<std::pair<std::string, ModelNodePtr>> ModelFs::All() const {
  std::vector<std::pair<std::string, ModelNodePtr>> all;
  Collect("", *root_, all);
  return all;
}

}  // namespace gabion
