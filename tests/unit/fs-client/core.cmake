# The client core over fake servers, in a simulated world.
gabion_test(fs_client_core_test LABEL unit
  SOURCES
    core_fixture.cc fake_servers.cc
    io/chunk_calls_test.cc io/chunk_places_test.cc io/chunk_read_test.cc io/dirty_data_test.cc
    io/flush_queue_test.cc io/memory_budget_test.cc io/open_inode_test.cc io/read_ahead_test.cc io/reader_test.cc io/write_back_test.cc
    lease/known_names_test.cc lease/lease_cache_test.cc lease/running_time_test.cc
    lock/held_locks_test.cc lock/locks_here_test.cc
    session/cluster_view_test.cc session/group_source_test.cc session/hedge_delay_test.cc session/id_pool_test.cc
    session/meta_call_test.cc session/meta_session_test.cc session/op_tracker_test.cc session/unsynced_names_test.cc
    vfs/kernel_versions_test.cc vfs/open_directory_test.cc vfs/open_files_test.cc vfs/open_here_test.cc vfs/own_opens_test.cc vfs/volume_vfs_test.cc
  DEPENDS gabion_fs_core gabion_sim_env gabion_rpc)
