#include <sys/sysinfo.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "common/env/real/allocator.h"
#include "common/env/real/host.h"
#include "fs-client/client.h"
#include "fs-client/mount/mount_process.h"

namespace gabion {
namespace {

/// The client core behind a mount.
class ClientCore : public MountCore {
 public:
  ClientCore(std::vector<Env*> loops, ClientOptions options) : client_(std::move(loops), std::move(options)) {}

  Task<Result<void>> Start() override { return client_.Start(); }
  Vfs& vfs() override { return client_.vfs(); }
  void SetInvalidator(CacheInvalidator* invalidator) override { client_.SetInvalidator(invalidator); }
  Task<void> Stop() override { return client_.Stop(); }

 private:
  Client client_;
};

ClientOptions OptionsOf(const MountCommand& command, const std::string& host_id) {
  ClientOptions options;
  // Half of what a queue of the kernel's has room for (fuse_server.cc).
  options.max_lock_waits_per_loop =
      std::clamp<std::size_t>(128 / static_cast<std::size_t>(std::max(get_nprocs_conf(), 1)), 2, 32);
  options.metaservers = command.source.metaservers;
  options.volume = command.source.volume;
  options.subdir = command.source.subdir;
  options.host_id = host_id;
  options.host_name = HostName();
  options.mountpoint = command.mountpoint;
  options.read_only = command.options.read_only;
  options.memory_bytes = command.options.memory_bytes;
  options.connect_timeout = command.options.connect_timeout;
  options.soft = command.options.soft;
  return options;
}

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  gabion::KeepFreedMemory();
  gabion::Result<std::string> host_id = gabion::ReadBootId();
  if (!host_id) {
    fprintf(stderr, "gabion-mount: %s; is /proc mounted?\n", host_id.error().message().c_str());
    return gabion::kExitMountFailed;
  }
  auto make_core = [&host_id](std::vector<gabion::Env*> loops, const gabion::MountCommand& command) {
    return std::make_unique<gabion::ClientCore>(std::move(loops), gabion::OptionsOf(command, *host_id));
  };
  return gabion::RunMountProgram(argc, argv, make_core);
}
