#include "tests/sim/workload/posix_workload.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "tests/sim/workload/posix_worker.h"

namespace gabion {
namespace {

constexpr std::uint32_t kReadBytes = 1024 * 1024;

}  // namespace

PosixWorkload::PosixWorkload(SimCluster& cluster, PosixWorkloadOptions options) : Workload(cluster), options_(options) {
  for (unsigned i = 0; i < options_.workers; ++i) workers_.push_back(std::make_unique<PosixWorker>(*this, i));
}

PosixWorkload::~PosixWorkload() = default;

Task<void> PosixWorkload::Prepare() {
  for (const auto& worker : workers_) {
    const Result<void> made = co_await clients_.front()->Mkdir(worker->base());
    Expect("mkdir " + worker->base(), made);
  }
}

std::vector<Task<void>> PosixWorkload::Streams() {
  std::vector<Task<void>> running;
  for (const auto& worker : workers_) running.push_back(worker->Run());
  return running;
}

Task<void> PosixWorkload::SyncAll() {
  for (const auto& worker : workers_) {
    for (const auto& [path, node] : worker->model().All()) {
      if (node->is_directory) continue;
      // By a client that need not have written it.
      PosixCalls& client = *clients_[cluster_.world().random().Below(clients_.size())];
      co_await SyncFile(client, worker->base() + path);
    }
  }
  co_await SyncDirectory(*clients_.front(), "/");
}

Task<void> PosixWorkload::Verify() {
  for (const auto& client : clients_) {
    for (const auto& worker : workers_) {
      if (!failure().empty()) co_return;
      Task<void> verifying = VerifyTree(*client, worker->base(), worker->model());
      co_await std::move(verifying);
    }
  }
}

Task<void> PosixWorkload::VerifyTree(PosixCalls& client, std::string base, const ModelFs& model) {
  std::vector<std::pair<std::string, ModelNodePtr>> all = model.All();
  all.emplace_back("", model.root());
  for (const auto& [path, node] : all) {
    const std::string full = base + path;
    const Result<FileAttr> attr = co_await client.Stat(full);
    if (!attr) {
      Fail(client.client() + ": at the end, stat " + full + ": " + attr.error().ToString());
      continue;
    }
    if (attr->nlink != node->nlink || S_ISDIR(attr->mode) != node->is_directory) {
      Fail(fmt::format("{}: at the end, {} has mode {:o} and nlink {}; the model's has nlink {}", client.client(), full,
                       attr->mode, attr->nlink, node->nlink));
    }
    if (node->is_directory) {
      const Result<std::vector<DirectoryItem>> items = co_await client.List(full);
      if (!items || items->size() != node->names.size()) {
        Fail(fmt::format("{}: at the end, {} has {} entries instead of {}", client.client(), full,
                         items ? std::to_string(items->size()) : items.error().ToString(), node->names.size()));
      }
    } else {
      Task<void> verifying = VerifyFile(client, full, node);
      co_await std::move(verifying);
    }
  }
}

Task<void> PosixWorkload::VerifyFile(PosixCalls& client, std::string path, ModelNodePtr node) {
  const std::string what = client.client() + ": at the end, " + path;
  const Result<Fd> fd = co_await client.Open(path, O_RDONLY);
  if (!fd) {
    Fail(what + ": " + fd.error().ToString());
    co_return;
  }
  const SparseBytes& content = node->content;
  const Result<FileAttr> attr = co_await client.Fstat(*fd);
  if (!attr || attr->size != content.size()) {
    Fail(fmt::format("{}: size {} instead of {}", what, attr ? std::to_string(attr->size) : attr.error().ToString(),
                     content.size()));
  }
  // Where there is data, and the holes beside it.
  std::uint64_t next = 0;
  for (const auto& [block, bytes] : content.blocks()) {
    const std::uint64_t begin = block * SparseBytes::kBlock;
    if (begin < next) continue;
    const std::uint64_t offset = begin < kReadBytes / 2 ? 0 : begin - kReadBytes / 4;
    const Result<std::string> read = co_await client.Pread(*fd, offset, kReadBytes);
    if (!read) {
      Fail(fmt::format("{}: reading at {}: {}", what, offset, read.error().ToString()));
      break;
    }
    const std::string wanted = content.Read(offset, kReadBytes);
    if (*read != wanted) {
      const auto at = std::mismatch(read->begin(), read->end(), wanted.begin(), wanted.end()).first - read->begin();
      Fail(fmt::format("{}: {} bytes instead of {} at {}, the first difference at {}", what, read->size(),
                       wanted.size(), offset, offset + static_cast<std::uint64_t>(at)));
      break;
    }
    next = offset + kReadBytes;
  }
  const Result<void> closed = co_await client.Close(*fd);
  if (!closed) Fail(what + ", close: " + closed.error().ToString());
}

Task<void> PosixWorkload::Remove() {
  for (const auto& worker : workers_) {
    std::vector<std::pair<std::string, ModelNodePtr>> all = worker->model().All();
    for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
      PosixCalls& client = *clients_[cluster_.world().random().Below(clients_.size())];
      const std::string full = worker->base() + entry->first;
      Task<Result<void>> removing = entry->second->is_directory ? client.Rmdir(full) : client.Unlink(full);
      const Result<void> removed = co_await std::move(removing);
      Expect("removing " + full, removed);
    }
    const Result<void> removed = co_await clients_.back()->Rmdir(worker->base());
    Expect("removing " + worker->base(), removed);
  }
}

}  // namespace gabion
