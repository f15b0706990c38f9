#include "common/base/buffer.h"

#include <cstring>
#include <new>

#include "common/base/byte_units.h"
#include "common/base/check.h"

namespace gabion {
namespace {

std::shared_ptr<std::byte[]> Allocate(std::size_t size) {
  if (size < kBlockBytes) return std::make_shared_for_overwrite<std::byte[]>(size);
  constexpr std::align_val_t kAlignment{kBlockBytes};
  auto* memory = static_cast<std::byte*>(::operator new[](size, kAlignment));
  return {memory, [](std::byte* bytes) { ::operator delete[](bytes, kAlignment); }};
}

}  // namespace

Slice Slice::CopyOf(std::string_view text) {
  return CopyOf(std::as_bytes(std::span(text)));
}

Slice Slice::CopyOf(std::span<const std::byte> bytes) {
  MutableBuffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return std::move(buffer).Share();
}

Slice Slice::Part(std::size_t offset, std::size_t length) const {
  CHECK(offset <= size() && length <= size() - offset);
  return {owner_, bytes_.subspan(offset, length)};
}

MutableBuffer::MutableBuffer(std::size_t size) : memory_(Allocate(size)), size_(size) {}

Slice MutableBuffer::Share() && {
  std::span<const std::byte> bytes{memory_.get(), size_};
  size_ = 0;
  return {std::move(memory_), bytes};
}

void Payload::Append(Slice slice) {
  if (slice.empty()) return;
  size_ += slice.size();
  slices_.push_back(std::move(slice));
}

Slice Payload::Joined() const {
  if (slices_.empty()) return {};
  if (slices_.size() == 1) return slices_.front();
  MutableBuffer joined(size_);
  CopyTo(joined.data());
  return std::move(joined).Share();
}

void Payload::CopyTo(std::byte* target) const {
  for (const Slice& slice : slices_) {
    std::memcpy(target, slice.data(), slice.size());
    target += slice.size();
  }
}

std::string Payload::ToString() const {
  std::string text(size_, '\0');
  CopyTo(reinterpret_cast<std::byte*>(text.data()));
  return text;
}

}  // namespace gabion
