#include <utility>

#include "common/daemon/daemon.h"
#include "common/daemon/data_directory.h"
#include "common/env/real/allocator.h"
#include "common/env/real/host.h"
#include "common/env/real/rocksdb_kv.h"
#include "metaserver/server.h"

namespace gabion {
namespace {

class MetaServerDaemon final : public Daemon {
 public:
  std::string name() const override { return "gabion-metaserver"; }
  std::string description() const override { return "gabion-metaserver: keeps the namespace of a Gabion cluster"; }
  Endpoint default_listen() const override { return {"127.0.0.1", 9470}; }

  void AddOptions(OptionSet& set) override {
    set.AddText("data", "DIR", "Directory of its own, made if it is not there; required", &data_);
    set.AddNumber("cache-bytes", "Memory in which the namespace is kept, as far as it fits (default 128 MiB)",
                  kMinCacheBytes, kMaxCacheBytes, &store_options_.block_cache_bytes);
  }

  Result<void> Open(const DaemonOptions& options) override {
    if (data_.empty()) {
      return {ErrorCode::kInvalidArgument, "it needs a directory for its data: --data DIR"};
    }
    server_options_.listen = options.listen;
    TRY_ASSIGN(server_options_.host_id, ReadBootId());
    TRY_ASSIGN(DataDirectory directory, DataDirectory::Open(data_));
    directory_ = std::make_unique<DataDirectory>(std::move(directory));
    TRY_ASSIGN(const std::string store_path, directory_->Subdirectory("meta"));
    store_options_.boot_id = server_options_.boot_id = server_options_.host_id;
    TRY_ASSIGN(store_, RocksKv::Open(store_path, store_options_));
    return {};
  }

  Task<Result<void>> Start(std::vector<Env*> loops) override {
    server_ = std::make_unique<MetaServer>(std::move(loops), *store_, server_options_);
    return server_->Start();
  }

  Endpoint endpoint() const override { return server_->endpoint(); }

  Task<void> Stop() override { return server_->Stop(); }

 private:
  std::string data_;
  RocksKvOptions store_options_;
  MetaServerOptions server_options_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<RocksKv> store_;
  std::unique_ptr<MetaServer> server_;
};

}  // namespace
}  // namespace gabion

int main(int argc, char** argv) {
  gabion::KeepFreedMemory();
  return gabion::RunDaemon(argc, argv, std::make_unique<gabion::MetaServerDaemon>());
}
