noinst_LIBRARIES += src/ns/libns.a
src_ns_libns_a_SOURCES = \
	src/ns/ns.c src/ns/ns.h src/ns/ns_int.h \
	src/ns/ns_accept.c \
	src/ns/ns_ahead.c \
	src/ns/ns_blocks.c src/ns/ns_blocks.h \
	src/ns/ns_careless.c \
	src/ns/ns_cmd.c \
	src/ns/ns_content.c src/ns/ns_content.h \
	src/ns/ns_copy.c \
	src/ns/ns_dir.c \
	src/ns/ns_etag.c \
	src/ns/ns_extents.c src/ns/ns_extents.h \
	src/ns/ns_fetch.c \
	src/ns/ns_file.c \
	src/ns/ns_flat.c src/ns/ns_flat.h \
	src/ns/ns_flush.c \
	src/ns/ns_full.c \
	src/ns/ns_info.c \
	src/ns/ns_keep.c \
	src/ns/ns_lend.c \
	src/ns/ns_ledger.c src/ns/ns_ledger.h \
	src/ns/ns_link.c \
	src/ns/ns_list.c src/ns/ns_list.h \
	src/ns/ns_look.c \
	src/ns/ns_lookup.c \
	src/ns/ns_maker.c src/ns/ns_marker.c \
	src/ns/ns_merge.c \
	src/ns/ns_meta.c src/ns/ns_meta.h \
	src/ns/ns_meta_format.c \
	src/ns/ns_meta_set.c \
	src/ns/ns_name.c \
	src/ns/ns_node.c \
	src/ns/ns_plan.c src/ns/ns_plan.h \
	src/ns/ns_probe.c \
	src/ns/ns_proc.c src/ns/ns_proc.h \
	src/ns/ns_procstat.c \
	src/ns/ns_proctext.c \
	src/ns/ns_ranges.c src/ns/ns_ranges.h \
	src/ns/ns_read.c \
	src/ns/ns_recall.c \
	src/ns/ns_remove.c \
	src/ns/ns_rename.c \
	src/ns/ns_rename_dir.c \
	src/ns/ns_run.c \
	src/ns/ns_save.c \
	src/ns/ns_slab.c src/ns/ns_slab.h \
	src/ns/ns_source.c \
	src/ns/ns_split.c \
	src/ns/ns_status.c \
	src/ns/ns_stale.c \
	src/ns/ns_symlink.c \
	src/ns/ns_truncate.c \
	src/ns/ns_upload.c \
	src/ns/ns_walk.c src/ns/ns_walk.h src/ns/ns_walk_int.h \
	src/ns/ns_walk_ask.c \
	src/ns/ns_walk_change.c \
	src/ns/ns_walk_dirs.c \
	src/ns/ns_walk_end.c \
	src/ns/ns_walk_roots.c \
	src/ns/ns_walk_status.c \
	src/ns/ns_write.c \
	src/ns/ns_xattr.c \
	src/ns/ns_xattr_format.c
