#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/coro/task.h"
#include "common/daemon/daemon_options.h"
#include "common/env/env.h"

namespace gabion {

/// A server program's own part; RunDaemon does the rest. Calls come in the order in which they stand here.
class Daemon {
 public:
  virtual ~Daemon() = default;

  /// "gabion-metaserver", and a line that says what it is.
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;

  /// Where it listens if nobody says otherwise.
  virtual Endpoint default_listen() const = 0;

  virtual void AddOptions(OptionSet& set) = 0;

  /// Checks the options and opens what is kept on disk. The main thread, before the loops; may block. Errors are lines
  /// for the user.
  virtual Result<void> Open(const DaemonOptions& options) = 0;

  /// On the first of `loops`, which outlive this object. After an error nothing more is called.
  virtual Task<Result<void>> Start(std::vector<Env*> loops) = 0;

  /// With the port that was really taken.
  virtual Endpoint endpoint() const = 0;

  /// On the first loop. What was acknowledged is as safe without it: it may be cut short.
  virtual Task<void> Stop() = 0;

  /// Whether the program is to begin again in the place of this process, now that it has stopped. The main thread.
  virtual bool begins_again() const { return false; }
};

/// The whole program: options, log, signals, loops; prints a line when it listens; ends in order at SIGTERM, SIGINT or
/// SIGHUP, and at once at a second one; a daemon that is to begin again sends itself one. Returns the exit status: 0, 1
/// (it could not start or not stop in order), 2 (bad options).
int RunDaemon(int argc, char** argv, std::unique_ptr<Daemon> daemon);

}  // namespace gabion
