noinst_LIBRARIES += src/bulk/libbulk.a
src_bulk_libbulk_a_SOURCES = \
	src/bulk/bulk.c src/bulk/bulk.h src/bulk/bulk_int.h \
	src/bulk/bulk_copy.c \
	src/bulk/bulk_delete.c \
	src/bulk/bulk_fetch.c \
	src/bulk/bulk_head.c \
	src/bulk/bulk_meta.c \
	src/bulk/bulk_mpcopy.c \
	src/bulk/bulk_order.c \
	src/bulk/bulk_relay.c \
	src/bulk/bulk_rate.c src/bulk/bulk_rate.h \
	src/bulk/bulk_window.c src/bulk/bulk_window.h
