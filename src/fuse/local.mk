noinst_LIBRARIES += src/fuse/libfs.a
src_fuse_libfs_a_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
src_fuse_libfs_a_SOURCES = \
	src/fuse/fs.h src/fuse/fs_int.h \
	src/fuse/fs_attach.c \
	src/fuse/fs_hub.c \
	src/fuse/fs_init.c \
	src/fuse/fs_notify.c \
	src/fuse/fs_ops.c \
	src/fuse/fs_reply.c \
	src/fuse/fs_session.c \
	src/fuse/fs_xattr.c
