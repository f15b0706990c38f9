// gabion-mount over a volume in memory: to try the front end by itself on a real mount, and to measure what FUSE costs
// before any network does. `memory-mount HOST:/VOLUME MOUNTPOINT [-o OPTIONS] [-f]`; the volume's name chooses what the
// kernel may keep: "cached" (for an hour), "direct" (no pages), anything else nothing.
#include <utility>

#include "fs-client/mount/mount_process.h"
#include "tests/unit/fs-client/memory_vfs.h"

namespace gabion {
namespace {

class MemoryCore : public MountCore {
 public:
  MemoryCore(Clock& clock, MemoryVfs::Options options) : vfs_(clock, options) {}

  Task<Result<void>> Start() override { co_return Result<void>(); }
  Vfs& vfs() override { return vfs_; }
  void SetInvalidator(CacheInvalidator* invalidator) override { vfs_.SetInvalidator(invalidator); }
  Task<void> Stop() override { co_return; }

 private:
  MemoryVfs vfs_;
};

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  return gabion::RunMountProgram(argc, argv, [](std::vector<gabion::Env*> loops, const gabion::MountCommand& command) {
    constexpr std::uint64_t kHourNs = 3'600'000'000'000;
    gabion::MemoryVfs::Options options;
    if (command.source.volume == "cached") options = {{kHourNs, kHourNs}, true, false};
    if (command.source.volume == "direct") options.direct_io = true;
    return std::make_unique<gabion::MemoryCore>(loops[0]->clock, options);
  });
}
