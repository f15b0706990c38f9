#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/env/clock.h"
#include "fs-client/lease/known_names.h"
#include "fs-client/lease/running_time.h"
#include "proto/meta.pb.h"

namespace gabion {

/// What the client may use without asking, because the metaserver has granted its session leases (docs/leases.md): the
/// attributes of inodes, and the entries of directories; and which files it may write without telling. Inode numbers
/// are the metaserver's.
///
/// Leases are good until the session may have lapsed, by this client's clock; nothing is used after that. Answers and
/// recalls that cross each other are told apart by their numbers: whatever a recall or a change of our own has made old
/// is not taken in any more. Where there is no number to go by, what was asked for before is not taken in: every note
/// carries the generation() of the time when its request was sent. Any thread.
class LeaseCache {
 public:
  /// So many inodes are remembered with what is too old for them; beyond, the oldest such number holds for all.
  static constexpr std::size_t kMaxFloors = 65536;
  /// The metaserver grants fewer.
  static constexpr std::size_t kMaxLeases = 131072;
  /// Of all directories; beyond that all are forgotten.
  static constexpr std::size_t kMaxNames = 262144;
  /// Larger directories do not become complete: their names would push out all others'.
  static constexpr std::size_t kMaxCompleteNames = 65536;

  /// For so long the kernel may use an entry. Nobody can take one back from it (docs/leases.md): a recall waits.
  static constexpr Duration kEntryValidity = std::chrono::milliseconds(200);
  /// So long after it was sent the kernel may take in an answer: the thread that asked has to get a CPU.
  static constexpr Duration kKernelSlack = std::chrono::milliseconds(100);
  /// Neither entries nor attributes of a directory whose entries this client changed so lately are for the kernel. It
  /// is at work there: another that is as well would be held up by the entries, and the attributes change with each.
  static constexpr Duration kQuiet = std::chrono::seconds(2);

  /// What the kernel was told, and must not use any more.
  struct KernelWork {
    TimePoint
        wait_until;  // of Running(): till then it uses entries, or takes in answers that invalidations do not reach
    std::vector<Ino> attributes;  // to be invalidated after that
  };
  /// A write lease that is given up, from its recall or downgrade to its return.
  using Return = std::uint64_t;

  /// A session begins or goes on; leases count from this answer on, until `valid_until`. `kept_writes`: the inodes of
  /// which it has write leases still, granted by the number after the note's.
  void Begin(const proto::LeaseNote& note, std::span<const Ino> kept_writes, TimePoint valid_until);
  /// The session was renewed. If it has lapsed before that (`lapsed`: the metaserver says so), all leases are gone but
  /// for write leases. `reads_overdue`: only these are good for longer.
  KernelWork Extend(TimePoint valid_until, TimePoint now, bool lapsed, bool reads_overdue);
  /// Forgets everything, and takes nothing in until Begin.
  KernelWork End();
  /// An op of our own may have been done or not, or may still be done before `until`: forgets all that is known, and
  /// takes nothing in until then. The leases are kept.
  KernelWork ForgetKnown(TimePoint until);

  /// For the requests that are sent now.
  std::uint64_t generation() const;
  /// An answer shows attributes.
  void Learn(const proto::LeaseNote& note, const proto::Attr& attr, TimePoint now);
  /// An answer shows an entry of the directory, or (no `ino`) that there is none of that name, under a lease on it.
  /// `mode`: its type bits.
  void LearnEntry(const proto::LeaseNote& note, Ino directory, const std::string& name, Ino ino, std::uint32_t mode,
                  TimePoint now);
  /// An answer shows a page of the directory, which goes on where that before ended. `listing` is what the call for the
  /// page before has given, kNewListing for the first; the last page of a listing makes the directory complete. None:
  /// this listing does not get that far.
  std::uint64_t LearnPage(const proto::ReadDirReply& page, Ino directory, std::uint64_t listing, TimePoint now);
  static constexpr std::uint64_t kNewListing = ~std::uint64_t{0};
  static constexpr std::uint64_t kNoListing = 0;
  /// An answer shows that an op of our own has made this directory.
  void LearnEmpty(const proto::LeaseNote& note, Ino directory, TimePoint now);
  /// An answer to an op of our own tells what it changed, and how it is since.
  KernelWork Changed(const proto::LeaseNote& note, TimePoint now);
  /// Gives up what was recalled. None, and nothing is given up: there is a write lease, or one that is not returned
  /// yet, whatever the metaserver thinks (it may not have heard of an end, or we of a beginning).
  std::optional<KernelWork> RecalledRead(const proto::Recall& recall);
  struct WriteRecall {
    KernelWork work;
    std::optional<Return> flushing;  // none: there was no write lease
  };
  /// Gives up what was recalled. What is written under a write lease that is not returned yet (MayFlush) may still be
  /// brought to the servers.
  WriteRecall RecalledWrite(const proto::Recall& recall);
  /// The file's write lease, if there is one, is from now on only good for what is to be flushed; the last of that is
  /// committed with this request, which tells the metaserver.
  std::optional<Return> Downgrade(proto::CommitWriteRequest& request);
  /// The kernel has done it. Until then a recall of any of these inodes asks for it as well.
  void Forgotten(const KernelWork& work);
  /// It was returned: nothing written under it was left.
  void Returned(Ino ino, Return done);

  struct Known {
    proto::Attr attr;
    std::uint64_t number = 0;  // of the answer that it is from
  };
  std::optional<Known> Find(Ino ino, TimePoint now) const;
  /// Whether the file may be written without telling anybody.
  bool MayWrite(Ino ino, TimePoint now) const;
  /// Whether locks of the file may be given out without telling anybody.
  bool MayLock(Ino ino, TimePoint now) const;
  /// Whether there is a lease on the inode.
  bool IsHeld(Ino ino, TimePoint now) const;
  /// Whether there is a write lease that is not being returned, be it out of date.
  bool IsWriting(Ino ino) const;
  /// Whether a write lease was recalled that is not returned yet: until then nobody asks for it again.
  bool IsReturning(Ino ino) const;
  /// Whether what was written so may be brought to the servers now.
  bool MayFlush(Ino ino, TimePoint now) const;
  /// What the name leads to, no inode number if there is no such name; none if that is not known.
  std::optional<Ino> FindEntry(Ino directory, const std::string& name, TimePoint now) const;
  /// A page of a directory that is known to be complete, as the metaserver would give it, as far as the attributes are
  /// known if they are wanted; none if not even the first entry is known.
  std::optional<proto::ReadDirReply> ListEntries(Ino directory, const std::string& after_name,
                                                 std::uint32_t max_entries, bool with_attr, TimePoint now) const;

  /// For how long the kernel may use the attributes from that answer; 0: not at all.
  Duration AttributesFor(Ino ino, std::uint64_t number, TimePoint now);
  /// The same in an answer that shows entries as well. The kernel does not notice that an invalidation has overtaken
  /// the first attributes that it gets of an inode, so a recall of these is held up for kKernelSlack. A lookup gives it
  /// no first ones: what is looked up is soon opened, and changed.
  enum class Beside { kLookup, kListing };
  Duration AttributesBesideEntry(Ino ino, std::uint64_t number, Beside beside, TimePoint now);
  /// For how long the kernel may use the entry, or (no `ino`) that there is none of that name; 0: not at all.
  Duration EntryFor(Ino directory, const std::string& name, Ino ino, TimePoint now);
  /// The kernel has moved an entry, and uses it as long under its new name. Until when (of Running()) nobody may know
  /// of that: later a recall of either directory waits for it.
  TimePoint Moved(Ino from, Ino to, TimePoint now);
  /// What the times that the kernel is waited for are of. To be called every RunningTime::kTick.
  TimePoint Running(TimePoint now);

  /// The era of the leases, 0 if there are none.
  std::uint64_t era() const;
  /// Of read leases.
  TimePoint valid_until() const;
  /// Of write leases, and of what else the session holds. Not before that of read leases.
  TimePoint writes_until() const;
  std::size_t size() const;

 private:
  struct Record {
    std::uint64_t lease = 0;       // the number of its latest grant; 0: none
    std::uint64_t since = 0;       // and of the first since it is held
    std::uint64_t recalled = 0;    // grants up to it are void
    std::uint64_t downgraded = 0;  // those up to it are no write leases
    std::uint64_t changed = 0;     // what was shown before it is old
    bool write = false;            // it is a write lease
    bool only_locker = false;      // and nobody else had locks when it was granted
    std::vector<Return> returning;
    std::optional<Known> known;  // under a lease, as the names
    KnownNames names;
    bool attributes_told = false;  // to the kernel, which may use them while the session is good
    TimePoint told_until;   // of running_: the kernel uses entries, or takes in answers that show these attributes
    TimePoint quiet_until;  // of a directory: nothing of it is for the kernel before that
  };

  /// Whether it belongs to this session as it is now, so that its grants count.
  bool IsCurrent(const proto::LeaseNote& note) const;
  /// And what it shows is as it is.
  bool Accepts(const proto::LeaseNote& note, TimePoint now) const;
  /// Under mutex_; its record, made if it has none.
  Record& At(Ino ino);
  Record* GrantedAt(const proto::LeaseNote& note, Ino ino);
  void LearnAttr(const proto::LeaseNote& note, const proto::Attr& attr);
  void LearnName(Record& record, const std::string& name, const KnownNames::Entry& entry);
  void ChangeEntry(const proto::LeaseNote& note, const proto::ChangedEntry& entry, TimePoint now);
  /// Null after `until`.
  const Record* FindValid(Ino ino, TimePoint now, TimePoint until) const;
  static Duration LeftOf(const Record& record, std::uint64_t number, TimePoint until, TimePoint now);
  void Tell(Record& record, TimePoint until);
  void ForgetAttributesOf(Ino ino, Record& record, KernelWork& work);
  void AddForgetting(Ino ino, KernelWork& work);
  void ForgetNamesOf(Record& record, std::uint64_t number);
  void ForgetAllNames();
  void TakeBack(const proto::Recall& recall, KernelWork& work);
  void DropLease(Ino ino, Record& record, KernelWork& work);
  /// `reads_only`: not the write leases.
  KernelWork DropAll(bool reads_only);
  KernelWork ForgetAllKnown();
  void ForgetOldFloors();

  mutable std::mutex mutex_;
  std::uint64_t era_ = 0;
  std::uint64_t generation_ = 1;
  Return last_return_ = 0;
  std::uint64_t floor_ = 0;  // grants of inodes without a record count only if later
  TimePoint valid_until_;
  TimePoint writes_until_;  // of write leases, not before the others'
  TimePoint quiet_until_;
  RunningTime running_;
  TimePoint told_until_;  // of running_; the latest of all, recalled ones included
  std::size_t leases_ = 0;
  std::size_t names_ = 0;
  std::unordered_map<Ino, Record> records_;
  std::unordered_map<Ino, std::size_t> forgetting_;  // for how many, not Forgotten yet, the kernel is to forget it
  std::deque<Ino> floors_;                           // inodes that got a record without a lease, the oldest first
};

}  // namespace gabion
