#pragma once

namespace gabion {

/// Has malloc keep the memory of large blocks that were freed for the next ones, up to 64 MiB for each of its arenas
/// (about one a thread). By default it gives blocks of a read's size back to the kernel every time, and gets them back
/// page by page with a fault for each: where page faults are expensive, as in many virtual machines, that costs more
/// than all else that a read does (measured: 112 MB/s without, 620 MB/s with it). For a program's first line; whole
/// process.
void KeepFreedMemory();

}  // namespace gabion
