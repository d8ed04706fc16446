# The randomised model test of ns and bulk with a simulated S3, clock and kernel. What it defines
# itself (the clock, the loop, the log, S3, /proc) is then not taken from the archives.
check_PROGRAMS += tests/sim/sim
TESTS += tests/sim/sim
tests_sim_sim_SOURCES = tests/sim/sim.h \
	tests/sim/sim_change.c \
	tests/sim/sim_check.c \
	tests/sim/sim_cmds.c \
	tests/sim/sim_edit.c \
	tests/sim/sim_kernel.c \
	tests/sim/sim_lock.c \
	tests/sim/sim_loop.c \
	tests/sim/sim_main.c \
	tests/sim/sim_model.c \
	tests/sim/sim_mpu.c \
	tests/sim/sim_proc.c \
	tests/sim/sim_s3.c tests/sim/sim_s3.h \
	tests/sim/sim_store.c
tests_sim_sim_LDADD = src/ns/libns.a src/bulk/libbulk.a src/s3/libs3.a src/util/libutil.a
