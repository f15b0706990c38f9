gabion_library(gabion_fs_core
  SOURCES
    client.cc
    io/chunk_calls.cc io/chunk_places.cc io/chunk_read.cc io/chunk_retry.cc io/chunk_table.cc io/dirty_data.cc
    io/flush_queue.cc io/kernel_pages.cc io/memory_budget.cc io/open_inode.cc io/read_ahead.cc io/read_race.cc io/read_stream.cc io/reader.cc
    io/write_back.cc io/write_back_sync.cc
    lease/known_names.cc lease/lease_cache.cc lease/leases.cc lease/recall_listener.cc
    lock/file_locks.cc lock/held_locks.cc
    session/client_loop.cc session/cluster_view.cc session/delegated_ids.cc session/group_source.cc
    session/hedge_delay.cc session/id_pool.cc session/meta_call.cc session/meta_session.cc session/op_tracker.cc
    session/outage_log.cc
    vfs/allocate.cc vfs/attr.cc vfs/directory.cc vfs/handle_naming.cc vfs/kernel_versions.cc vfs/locks.cc vfs/names.cc vfs/open.cc vfs/open_directory.cc
    vfs/open_files.cc vfs/open_file_uses.cc vfs/own_opens.cc vfs/release_queue.cc vfs/seek.cc vfs/transfer.cc vfs/volume_vfs.cc vfs/xattr.cc
  DEPENDS gabion_lock gabion_rpc gabion_env gabion_coro gabion_base gabion_proto gabion_asio fmt::fmt)
