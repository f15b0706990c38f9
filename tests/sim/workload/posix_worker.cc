#include "tests/sim/workload/posix_worker.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/byte_units.h"

namespace gabion {
namespace {

constexpr std::uint64_t kChunk = 64 * kMiB;

}  // namespace

PosixWorker::PosixWorker(PosixWorkload& owner, unsigned index)
    : owner_(owner),
      random_(DeriveSeed(owner.cluster_.options().seed, fmt::format("worker {}", index))),
      base_(fmt::format("/w{}", index)) {}

Task<void> PosixWorker::Run() {
  for (int i = 0; i < owner_.options_.ops && owner_.failure().empty(); ++i) {
    co_await owner_.Think(random_);
    Task<void> step = Step();
    co_await std::move(step);
  }
  while (!handles_.empty()) {
    Task<void> closing = CloseHandle(handles_.begin());
    co_await std::move(closing);
  }
}

Task<void> PosixWorker::Step() {
  using Op = Task<void> (PosixWorker::*)();
  struct Weighted {
    Op op;
    std::uint64_t weight;
  };
  static constexpr Weighted kOps[] = {
      {&PosixWorker::WriteFile, 16}, {&PosixWorker::ReadFile, 12},  {&PosixWorker::Truncate, 6},
      {&PosixWorker::Mkdir, 8},      {&PosixWorker::Rmdir, 4},      {&PosixWorker::Unlink, 7},
      {&PosixWorker::Link, 6},       {&PosixWorker::Rename, 10},    {&PosixWorker::Stat, 6},
      {&PosixWorker::List, 5},       {&PosixWorker::OpenHandle, 8}, {&PosixWorker::StepOnHandle, 30},
  };
  std::uint64_t total = 0;
  for (const Weighted& one : kOps) total += one.weight;
  std::uint64_t drawn = random_.Below(total);
  for (const Weighted& one : kOps) {
    if (drawn < one.weight) {
      Task<void> running = (this->*one.op)();
      co_await std::move(running);
      co_return;
    }
    drawn -= one.weight;
  }
}

Task<void> PosixWorker::StepOnHandle() {
  if (handles_.empty()) co_return;
  const HandleList::iterator handle = RandomHandle();
  const std::uint64_t drawn = random_.Below(100);
  const bool may_write = (handle->fd.flags & O_ACCMODE) != O_RDONLY;
  Task<void> running = drawn < 35 && may_write                    ? WriteHandle(*handle)
                       : drawn < 65 || (drawn < 72 && !may_write) ? ReadHandle(*handle)
                       : drawn < 72                               ? CutHandle(*handle)
                       : drawn < 80                               ? SyncHandle(*handle)
                       : drawn < 88                               ? StatHandle(*handle)
                                                                  : CloseHandle(handle);
  co_await std::move(running);
}

Task<void> PosixWorker::WriteFile() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const std::string bytes = RandomBytes();
  Result<ModelNodePtr> wanted = model_.OpenOrCreate(path, false);
  const std::string what = fmt::format("{}: write {} bytes to {}", client.client(), bytes.size(), Full(path));
  const Result<void> written = co_await client.WriteFile(Full(path), bytes);
  if (!Agree(what, written, wanted)) co_return;
  (*wanted)->content.Resize(0);
  (*wanted)->content.Write(0, bytes);
}

Task<void> PosixWorker::ReadFile() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<ModelNodePtr> wanted = model_.Open(path);
  const std::string what = fmt::format("{}: read {}", client.client(), Full(path));
  const Result<Fd> fd = co_await client.Open(Full(path), O_RDONLY);
  if (!Agree(what, fd, wanted)) co_return;
  const std::uint64_t offset = RandomOffset(**wanted);
  const auto size = static_cast<std::uint32_t>(random_.Below(300'000));
  const Result<std::string> bytes = co_await client.Pread(*fd, offset, size);
  if (Agree(what, bytes, Result<void>())) CheckBytes(what, *bytes, (*wanted)->content.Read(offset, size), offset);
  const Result<void> closed = co_await client.Close(*fd);
  Agree(what + ", close", closed, Result<void>());
}

Task<void> PosixWorker::Truncate() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<ModelNodePtr> wanted = model_.Open(path);
  const std::uint64_t size = wanted ? RandomOffset(**wanted) : 0;
  const std::string what = fmt::format("{}: truncate {} to {}", client.client(), Full(path), size);
  const Result<void> cut = co_await client.Truncate(Full(path), size);
  if (Agree(what, cut, wanted)) (*wanted)->content.Resize(size);
}

Task<void> PosixWorker::Mkdir() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<void> made = co_await client.Mkdir(Full(path));
  Agree(fmt::format("{}: mkdir {}", client.client(), Full(path)), made, model_.Mkdir(path));
}

Task<void> PosixWorker::Rmdir() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<void> removed = co_await client.Rmdir(Full(path));
  Agree(fmt::format("{}: rmdir {}", client.client(), Full(path)), removed, model_.Rmdir(path));
}

Task<void> PosixWorker::Unlink() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<void> removed = co_await client.Unlink(Full(path));
  Agree(fmt::format("{}: unlink {}", client.client(), Full(path)), removed, model_.Unlink(path));
}

Task<void> PosixWorker::Link() {
  PosixCalls& client = RandomClient();
  const std::string from = RandomPath();
  const std::string to = RandomPath();
  const Result<void> linked = co_await client.Link(Full(from), Full(to));
  Agree(fmt::format("{}: link {} to {}", client.client(), Full(from), Full(to)), linked, model_.Link(from, to));
}

Task<void> PosixWorker::Rename() {
  PosixCalls& client = RandomClient();
  const std::string from = RandomPath();
  const std::string to = RandomPath();
  const std::uint32_t flags = random_.Chance(1, 6) ? kExchange : random_.Chance(1, 6) ? kNoReplace : 0;
  const std::string what = fmt::format("{}: rename {} to {}, flags {}", client.client(), Full(from), Full(to), flags);
  const Result<void> renamed = co_await client.Rename(Full(from), Full(to), flags);
  Agree(what, renamed, model_.Rename(from, to, flags == kNoReplace, flags == kExchange));
}

Task<void> PosixWorker::Stat() {
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  const Result<ModelNodePtr> wanted = model_.Find(path);
  const std::string what = fmt::format("{}: stat {}", client.client(), Full(path));
  const Result<FileAttr> attr = co_await client.Stat(Full(path));
  if (Agree(what, attr, wanted)) CheckAttr(what, *attr, **wanted);
}

Task<void> PosixWorker::List() {
  PosixCalls& client = RandomClient();
  const std::string path = random_.Chance(1, 3) ? std::string() : RandomPath();
  const Result<ModelNodePtr> wanted = model_.Find(path);
  if (wanted && !(*wanted)->is_directory) co_return;
  const std::string what = fmt::format("{}: list {}", client.client(), Full(path));
  const Result<std::vector<DirectoryItem>> items = co_await client.List(Full(path));
  if (!Agree(what, items, wanted)) co_return;
  std::vector<std::string> got;
  std::vector<std::string> names;
  for (const DirectoryItem& item : *items) got.push_back(item.name + (S_ISDIR(item.type_mode) ? "/" : ""));
  for (const auto& [name, node] : (*wanted)->names) names.push_back(name + (node->is_directory ? "/" : ""));
  std::sort(got.begin(), got.end());
  std::sort(names.begin(), names.end());
  if (got != names) Fail(what, fmt::format("[{}] instead of [{}]", fmt::join(got, " "), fmt::join(names, " ")));
}

Task<void> PosixWorker::OpenHandle() {
  if (handles_.size() >= kMaxHandles) co_return;
  PosixCalls& client = RandomClient();
  const std::string path = RandomPath();
  if (random_.Chance(1, 3)) {
    Task<void> opening = OpenToRead(client, path);
    co_await std::move(opening);
    co_return;
  }
  int flags = O_RDWR | O_CREAT;
  if (random_.Chance(1, 4)) flags |= O_APPEND;
  if (random_.Chance(1, 8)) flags |= O_EXCL;
  if (random_.Chance(1, 8)) flags |= O_TRUNC;
  Result<ModelNodePtr> wanted = model_.OpenOrCreate(path, (flags & O_EXCL) != 0);
  const std::string what = fmt::format("{}: open {}, flags {:o}", client.client(), Full(path), flags);
  const Result<Fd> fd = co_await client.Open(Full(path), flags);
  if (!Agree(what, fd, wanted)) co_return;
  if ((flags & O_TRUNC) != 0) (*wanted)->content.Resize(0);
  handles_.push_back(Handle{*fd, &client, *wanted});
}

Task<void> PosixWorker::OpenToRead(PosixCalls& client, std::string path) {
  const Result<ModelNodePtr> wanted = model_.Open(path);
  const std::string what = fmt::format("{}: open {} to read", client.client(), Full(path));
  const Result<Fd> fd = co_await client.Open(Full(path), O_RDONLY);
  if (Agree(what, fd, wanted)) handles_.push_back(Handle{*fd, &client, *wanted});
}

Task<void> PosixWorker::CloseHandle(HandleList::iterator handle) {
  const Handle closed = *handle;
  handles_.erase(handle);
  const std::string what = fmt::format("{}: close inode {}", closed.client->client(), closed.fd.ino.value());
  const Result<void> outcome = co_await closed.client->Close(closed.fd);
  Agree(what, outcome, Result<void>());
}

Task<void> PosixWorker::WriteHandle(Handle& handle) {
  const bool append = (handle.fd.flags & O_APPEND) != 0;
  const std::uint64_t offset = append ? handle.node->content.size() : RandomOffset(*handle.node);
  const std::string bytes = RandomBytes();
  const std::string what = fmt::format("{}: pwrite {} bytes at {} to inode {}", handle.client->client(), bytes.size(),
                                       offset, handle.fd.ino.value());
  const Result<void> written = co_await handle.client->Pwrite(handle.fd, offset, bytes);
  if (!Agree(what, written, Result<void>())) co_return;
  handle.node->content.Write(offset, bytes);
}

Task<void> PosixWorker::ReadHandle(Handle& handle) {
  const std::uint64_t offset = RandomOffset(*handle.node);
  const auto size = static_cast<std::uint32_t>(random_.Below(300'000));
  const std::string what =
      fmt::format("{}: pread {} at {} of inode {}", handle.client->client(), size, offset, handle.fd.ino.value());
  const Result<std::string> bytes = co_await handle.client->Pread(handle.fd, offset, size);
  if (Agree(what, bytes, Result<void>())) CheckBytes(what, *bytes, handle.node->content.Read(offset, size), offset);
}

Task<void> PosixWorker::CutHandle(Handle& handle) {
  const std::uint64_t size = RandomOffset(*handle.node);
  const std::string what =
      fmt::format("{}: ftruncate inode {} to {}", handle.client->client(), handle.fd.ino.value(), size);
  const Result<void> cut = co_await handle.client->Ftruncate(handle.fd, size);
  if (Agree(what, cut, Result<void>())) handle.node->content.Resize(size);
}

Task<void> PosixWorker::SyncHandle(Handle& handle) {
  const std::string what = fmt::format("{}: fsync inode {}", handle.client->client(), handle.fd.ino.value());
  const Result<void> synced = co_await handle.client->Fsync(handle.fd);
  Agree(what, synced, Result<void>());
}

Task<void> PosixWorker::StatHandle(Handle& handle) {
  const std::string what = fmt::format("{}: fstat inode {}", handle.client->client(), handle.fd.ino.value());
  const Result<FileAttr> attr = co_await handle.client->Fstat(handle.fd);
  if (Agree(what, attr, Result<void>())) CheckAttr(what, *attr, *handle.node);
}

void PosixWorker::CheckBytes(const std::string& what, const std::string& got, const std::string& wanted,
                             std::uint64_t offset) {
  if (got == wanted) return;
  const auto [at, other] = std::mismatch(got.begin(), got.end(), wanted.begin(), wanted.end());
  const auto index = static_cast<std::size_t>(at - got.begin());
  auto show = [index](const std::string& bytes) {
    return index < bytes.size() ? fmt::format("{:02x}", static_cast<unsigned char>(bytes[index])) : "the end";
  };
  Fail(what, fmt::format("{} bytes instead of {}, the first difference at {}: {} instead of {}", got.size(),
                         wanted.size(), offset + index, show(got), show(wanted)));
}

void PosixWorker::CheckAttr(const std::string& what, const FileAttr& got, const ModelNode& wanted) {
  if (S_ISDIR(got.mode) != wanted.is_directory) Fail(what, fmt::format("mode {:o}", got.mode));
  if (got.nlink != wanted.nlink) Fail(what, fmt::format("nlink {} instead of {}", got.nlink, wanted.nlink));
  if (!wanted.is_directory && got.size != wanted.content.size()) {
    Fail(what, fmt::format("size {} instead of {}", got.size, wanted.content.size()));
  }
}

void PosixWorker::Note(const std::string& what, ErrorCode code) {
  owner_.cluster_.world().Trace(fmt::format("op: {}: {}", what, ToString(code)));
}

void PosixWorker::Fail(const std::string& what, const std::string& why) {
  owner_.Fail(what + ": " + why);
}

std::string PosixWorker::RandomPath() {
  static constexpr const char* kNames[] = {"a", "b", "c", "d"};
  std::string path;
  const std::uint64_t depth = 1 + random_.Below(3);
  for (std::uint64_t i = 0; i < depth; ++i) path += std::string("/") + kNames[random_.Below(std::size(kNames))];
  return path;
}

std::string PosixWorker::RandomBytes() {
  // Small, medium and large ones are stored in different ways.
  static constexpr std::uint64_t kScales[] = {1, 10, 100};
  const std::uint64_t limit = owner_.options_.max_write_bytes / kScales[random_.Below(std::size(kScales))];
  std::string bytes(1 + random_.Below(limit), '\0');
  const std::uint64_t tag = random_.Next();
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(1 + (tag + i / 16) % 251);
  return bytes;
}

std::uint64_t PosixWorker::RandomOffset(const ModelNode& node) {
  const std::uint64_t drawn = random_.Below(20);
  if (drawn < 3) return 0;
  if (drawn < 6) return node.content.size();
  if (drawn < 9) return RoundDown(random_.Below(node.content.size() + 1), 4 * kKiB);
  if (drawn == 9) return kChunk - random_.Below(100'000);
  if (drawn == 10) return node.content.size() + random_.Below(200'000);
  return random_.Below(node.content.size() + 1);
}

PosixCalls& PosixWorker::RandomClient() {
  return *owner_.clients_[random_.Below(owner_.clients_.size())];
}

PosixWorker::HandleList::iterator PosixWorker::RandomHandle() {
  auto handle = handles_.begin();
  std::advance(handle, static_cast<std::ptrdiff_t>(random_.Below(handles_.size())));
  return handle;
}

}  // namespace gabion
