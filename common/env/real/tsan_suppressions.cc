/// What the thread sanitizer is told at the start of every program with RocksDB in it. Debian's library is not compiled
/// with the sanitizer, which therefore sees its allocations and copies but not the atomics that order them, and reports
/// races where there are none. What our code does with what RocksDB returns is still watched.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): the sanitizer's name

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\n";
}
