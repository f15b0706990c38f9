#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

struct fuse_session;

namespace gabion {

/// A FUSE mount as the kernel sees it. libfuse makes it (as root itself, for others through fusermount3) and does
/// nothing else. Blocking calls, for threads that are no loops.
class KernelMount {
 public:
  struct Options {
    std::string source;      // what findmnt shows
    std::string mountpoint;  // from CheckMountpoint
    bool allow_other = false;
    std::vector<std::string> kernel;
  };

  /// Errors, for the user: kNotFound (no /dev/fuse, no fusermount3), kPermissionDenied, kIo.
  static Result<std::unique_ptr<KernelMount>> Create(const Options& options);

  /// Closes the device, which ends the connection; what is still mounted answers ENOTCONN from then on.
  ~KernelMount();
  KernelMount(const KernelMount&) = delete;
  KernelMount& operator=(const KernelMount&) = delete;

  /// The connection's descriptor. Ours.
  int device() const;

  /// Whether the mount is still there (somebody else may have unmounted it).
  bool IsMounted() const;
  /// Errors: kBusy while anything in it is in use. `lazy` takes it out of the tree nevertheless; who uses it goes on
  /// until he is done. Success if it is no longer mounted.
  Result<void> Unmount(bool lazy);
  /// Ends the connection although requests are unanswered: they fail with ECONNABORTED. Root only; else does nothing.
  void Abort();
  /// Sets what the kernel reads ahead in a stream, which it clamps to 128 KiB otherwise. Root only: false if it may
  /// not.
  bool SetReadahead(unsigned kilobytes);

 private:
  KernelMount(std::string mountpoint, fuse_session* session) : mountpoint_(std::move(mountpoint)), session_(session) {}

  std::string mountpoint_;
  std::string device_number_;  // "0:45"
  fuse_session* session_;
};

/// The absolute path of a directory to mount on. Errors, for the user: kNotFound, kNotDirectory, kBusy (a dead FUSE
/// mount is there, or a Gabion one), kPermissionDenied.
Result<std::string> CheckMountpoint(const std::string& path);

/// Whether what mounting needs is here. Errors, for the user: kNotFound.
Result<void> CheckFuseAvailable();

}  // namespace gabion
