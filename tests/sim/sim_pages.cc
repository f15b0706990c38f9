#include "tests/sim/sim_pages.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gabion {

void SimPages::Opened(Ino ino, const OpenedFile& file) {
  Inode& inode = inodes_[ino];
  inode.open.insert(file.handle);
  if (file.direct_io) inode.direct.insert(file.handle);
}

void SimPages::Released(Ino ino, HandleId handle) {
  Inode& inode = inodes_[ino];
  inode.open.erase(handle);
  inode.direct.erase(handle);
}

bool SimPages::IsOpen(Ino ino) const {
  auto inode = inodes_.find(ino);
  return inode != inodes_.end() && !inode->second.open.empty();
}

void SimPages::Forget(Ino ino, std::uint64_t index, const PagePtr& page) {
  auto& pages = inodes_[ino].pages;
  auto found = pages.find(index);
  if (found != pages.end() && found->second == page) pages.erase(found);
}

Task<void> SimPages::Drop(Ino ino) {
  const std::map<std::uint64_t, PagePtr> there = inodes_[ino].pages;
  for (const auto& [index, page] : there) {
    const AsyncMutex::Guard guard = co_await page->lock.Lock();
    Forget(ino, index, page);
  }
}

Task<std::vector<SimPages::Locked>> SimPages::LockMissing(Ino ino, std::uint64_t index, std::uint64_t last) {
  auto& pages = inodes_[ino].pages;
  std::vector<Locked> locked;
  for (; index <= last && !pages.contains(index); ++index) {
    auto page = std::make_shared<Page>();
    AsyncMutex::Guard guard = co_await page->lock.Lock();  // nobody else knows it: at once
    pages[index] = page;
    locked.emplace_back(page, std::move(guard));
  }
  co_return locked;
}

Task<Result<SimPages::PagePtr>> SimPages::Fill(Caller caller, Ino ino, HandleId handle, std::uint64_t index,
                                               std::uint64_t last) {
  std::vector<Locked> missing = co_await LockMissing(ino, index, last);
  const auto size = static_cast<std::uint32_t>(missing.size() * kPageBytes);
  Result<Payload> read = co_await below_.Read(caller, ino, handle, index * kPageBytes, size);
  const std::string bytes = read ? read->ToString() : std::string();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const PagePtr& page = missing[i].first;
    const std::size_t begin = std::min(i * kPageBytes, bytes.size());
    page->bytes = bytes.substr(begin, kPageBytes);
    if (!read || page->bytes.empty()) Forget(ino, index + i, page);
  }
  if (!read) co_return read.error();
  co_return missing.front().first;
}

Task<Result<Payload>> SimPages::Read(Caller caller, Ino ino, HandleId handle, std::uint64_t offset,
                                     std::uint32_t size) {
  if (inodes_[ino].direct.contains(handle)) co_return co_await below_.Read(caller, ino, handle, offset, size);
  std::string all;
  const std::uint64_t end = offset + size;
  while (offset < end) {
    const std::uint64_t index = offset / kPageBytes;
    auto& pages = inodes_[ino].pages;
    auto found = pages.find(index);
    PagePtr page = found == pages.end() ? nullptr : found->second;
    if (page == nullptr) {
      CO_TRY_ASSIGN(page, co_await Fill(caller, ino, handle, index, (end - 1) / kPageBytes));
    } else {
      const AsyncMutex::Guard guard = co_await page->lock.Lock();
      found = pages.find(index);
      if (found == pages.end() || found->second != page) continue;  // it was dropped meanwhile
    }
    const std::size_t begin = offset % kPageBytes;
    if (page->bytes.size() <= begin) break;
    const std::string part = page->bytes.substr(begin, end - offset);
    all += part;
    offset += part.size();
    if (page->bytes.size() < kPageBytes) break;
  }
  Payload payload;
  if (!all.empty()) payload.Append(Slice::CopyOf(std::as_bytes(std::span(all))));
  co_return payload;
}

Task<Result<void>> SimPages::Write(Caller caller, Ino ino, HandleId handle, std::uint64_t offset,
                                   std::span<const std::byte> data, bool kill_suid_sgid) {
  const bool is_direct = inodes_[ino].direct.contains(handle);
  const std::uint64_t end = offset + data.size();
  std::map<std::uint64_t, Locked> held;
  for (std::uint64_t index = offset / kPageBytes; index * kPageBytes < end; ++index) {
    held.emplace(index, co_await LockPage(ino, index));
  }
  Result<void> written = co_await below_.Write(caller, ino, handle, offset, data, kill_suid_sgid);
  for (const auto& [index, locked] : held) {
    const PagePtr& page = locked.first;
    const std::uint64_t begin = index * kPageBytes;
    const bool is_whole = offset <= begin && begin + kPageBytes <= end;
    if (is_direct || !written || (page->bytes.empty() && !is_whole)) {
      Forget(ino, index, page);
      continue;
    }
    const std::uint64_t first = std::max(offset, begin);
    const std::uint64_t last = std::min(end, begin + kPageBytes);
    if (page->bytes.size() < last - begin) page->bytes.resize(last - begin);
    std::memcpy(page->bytes.data() + (first - begin), data.data() + (first - offset), last - first);
  }
  // The file goes on behind what was its end.
  for (const auto& [index, page] : inodes_[ino].pages) {
    const std::uint64_t begin = index * kPageBytes;
    if (!page->bytes.empty() && begin + page->bytes.size() < end) page->bytes.resize(std::min(kPageBytes, end - begin));
  }
  co_return written;
}

/// One that is there, or one without content.
Task<SimPages::Locked> SimPages::LockPage(Ino ino, std::uint64_t index) {
  auto& pages = inodes_[ino].pages;
  for (;;) {
    PagePtr& there = pages[index];
    if (there == nullptr) there = std::make_shared<Page>();
    const PagePtr page = there;
    AsyncMutex::Guard guard = co_await page->lock.Lock();
    auto found = pages.find(index);
    if (found != pages.end() && found->second == page) co_return Locked{page, std::move(guard)};
  }
}

}  // namespace gabion
