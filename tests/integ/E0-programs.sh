#!/bin/bash
# Programs that only know files work on a mount as in a local directory: each does the same in both,
# shellcheck disable=SC2016,SC2094 # both() gives the scripts to another bash; kept.db is two files
# and what is in S3 afterwards is what is in the local one.
# shellcheck source=tests/integ/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# both SCRIPT: runs it with bash, errors ending it, in the directory `local` and in $MNT/there;
# outputs and what is there then must be the same. Links, modes and contents are looked at.
both() {
	mkdir -p local
	[ -d "$MNT/there" ] || mkdir "$MNT/there"
	umask 022
	(cd local && bash -euo pipefail -c "$1") >said.local 2>&1 || {
		cat said.local
		fail "the script fails in a local directory"
	}
	(cd "$MNT/there" && bash -euo pipefail -c "$1") >said.mount 2>&1 || {
		cat said.mount
		fail "the script fails on the mount"
	}
	assert_same said.local said.mount "what the script says"
	in_s3_as_local
}

# Everything below `local` as it is in S3, read with another client.
in_s3_as_local() {
	rm -rf fetched
	s3 fetch "$BUCKET" there/ fetched
	diff -r --no-dereference local fetched >differ 2>&1 || {
		head -n 20 differ
		fail "S3 and the local directory differ"
	}
	tree local >tree.local
	tree fetched >tree.fetched
	assert_same tree.local tree.fetched "names, kinds, modes and links"
}

tree() { # tree DIRECTORY
	(cd "$1" && find . -mindepth 1 -printf '%P %y %m %l\n' | LC_ALL=C sort)
}

test_git() {
	command -v git >/dev/null || skip "git is not installed"
	start_server
	mount_fs "$BUCKET"
	export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1700000000 +0000'
	export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
	git config --global user.name tester
	git config --global user.email tester@example.org
	git config --global init.defaultBranch main
	git config --global safe.directory '*'
	git init -q origin
	(
		cd origin
		for i in $(seq 1 300); do
			mkdir -p "d$((i % 12))/e$((i % 5))"
			echo "file $i" >"d$((i % 12))/e$((i % 5))/f$i"
		done
		ln -s d1/e1 link
		chmod +x d1/e1/f1
		git add -A
		git commit -qm first
	)
	assert_exit 0 git clone -q "file://$PWD/origin" "$MNT/clone"
	assert_eq "" "$(git -C "$MNT/clone" status --porcelain)" "git status after the clone"
	(
		cd "$MNT/clone"
		echo more >>d1/e1/f1
		git mv d2 moved
		git rm -qr d3
		git add -A
		git commit -qm second
		git checkout -q -b other HEAD~1
		git merge -q main
		git gc -q
		git fsck --strict
	) >git.log 2>&1 || {
		cat git.log
		fail "git on the mount"
	}
	assert_eq "" "$(git -C "$MNT/clone" status --porcelain)" "git status at the end"
	assert_exit 0 git -C "$MNT/clone" push -q origin other
	s3 fetch "$BUCKET" clone/ fetched
	assert_exit 0 git -C fetched fsck --strict
	assert_eq "" "$(git -C fetched status --porcelain)" "git status of what is in S3"
	assert_eq "$(git -C origin rev-parse other)" "$(git -C fetched rev-parse HEAD)" "the commit"
}

test_sqlite() {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	start_server
	mount_fs "$BUCKET"
	both '
		db() { sqlite3 small.db "$1"; }
		db "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT); CREATE INDEX i ON t(n);"
		for k in 1 2 3 4 5; do
			db "BEGIN; WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c
				WHERE x<400) INSERT INTO t(name,n) SELECT printf(\"%0100d\",x), x%7 FROM c;
				COMMIT;"
			db "UPDATE t SET name = upper(hex(id)) WHERE n = $k; DELETE FROM t WHERE id % 9 = $k;"
		done
		db "BEGIN; DELETE FROM t; ROLLBACK;"
		db "VACUUM; PRAGMA integrity_check; SELECT count(*), sum(n), max(id) FROM t;"
		sqlite3 small.db .dump >dump
		rm -f small.db
		sqlite3 small.db <dump
		sqlite3 small.db "SELECT count(*) FROM t; PRAGMA integrity_check;"
		sqlite3 small.db .dump | cmp - dump
		rm small.db'
	assert_exit 0 sqlite3 "$MNT/kept.db" "CREATE TABLE k(v); INSERT INTO k VALUES(42);"
	s3 get "$BUCKET" kept.db >kept.db
	assert_eq 42 "$(sqlite3 kept.db 'SELECT v FROM k')" "the row in S3"
}

test_editors() {
	start_server
	mount_fs "$BUCKET"
	both '
		seq 1 2000 >text
		sed -i -e "s/^1/one/" -e "/5$/d" text
		sed -i.orig "1i first" text
		printf "last\n" >>text
		# As vim saves with backupcopy=no: the old name goes to a backup, a new file takes it.
		mv text text~ && { cat text~; echo saved; } >text && rm text~
		# As many programs save: a temporary file, synced, takes the name.
		for i in 1 2 3; do
			tac text >.text.tmp && sync .text.tmp && mv -f .text.tmp text
		done
		sort -o text text
		cp -p text copy && cmp text copy
		ln -s text link && cat link | md5sum
		truncate -s 100 copy && truncate -s +50 copy && md5sum copy'
	command -v vim.tiny >/dev/null || skip "vim.tiny is not installed"
	for mode in yes no auto; do
		seq 1 500 >"$MNT/there/edit.$mode"
		seq 1 500 >"local/edit.$mode"
		for dir in "$MNT/there" local; do
			vim.tiny -u NONE -i NONE -e -s -c "set backupcopy=$mode backup" \
				-c '%s/7/seven/g' -c 'wq' "$dir/edit.$mode" </dev/null ||
				fail "vim on $dir"
		done
	done
	in_s3_as_local
}

test_make() {
	start_server
	mount_fs "$BUCKET"
	both '
		mkdir src
		for i in 1 2 3 4 5; do
			echo "int f$i(void) { return $i; }" >src/f$i.c
		done
		echo "int f1(void), f2(void), f3(void), f4(void), f5(void);
		int main(void) { return f1() + f2() + f3() + f4() + f5() - 15; }" >src/main.c
		printf "%s\n" "OBJS = \$(patsubst src/%.c,obj/%.o,\$(sort \$(wildcard src/*.c)))" \
			"prog: lib.a obj/main.o" "	@gcc -o \$@ obj/main.o lib.a && echo linked" \
			"lib.a: \$(filter-out obj/main.o,\$(OBJS))" "	@ar rcsD \$@ \$^" \
			"obj/%.o: src/%.c | obj" "	@gcc -c -o \$@ \$< && echo \$<" \
			"obj:" "	@mkdir obj" "clean:" "	@rm -rf obj lib.a prog" >Makefile
		make -s && ./prog && make -q
		touch -d "+1 minute" src/f3.c && make -s 2>&1 | grep -v Clock
		make -s clean && test ! -e prog && make -s -j4 | sort && ./prog
		rm -rf prog obj lib.a'
}

test_python() {
	start_server
	mount_fs "$BUCKET"
	cat >script.py <<'PY'
import mmap, os, pathlib, shutil, tempfile, zipfile

here = pathlib.Path(".")
(here / "a/b/c").mkdir(parents=True)
for i in range(40):
    (here / f"a/b/file{i:02}.txt").write_text(f"text {i}\n" * i)
(here / "a/b/c/bytes").write_bytes(bytes(range(256)) * 300)
shutil.copytree("a", "copy")
shutil.copy2("a/b/file07.txt", "copy/b/c")
shutil.move("copy/b/file01.txt", "moved.txt")
shutil.move("copy/b", "b2")
print(sorted(str(p) for p in here.rglob("*1*")))
os.replace("moved.txt", "b2/file02.txt")
shutil.rmtree("a/b/c")
for p in sorted(here.glob("a/b/*3*")):
    p.unlink()
with tempfile.NamedTemporaryFile(dir=".", delete=False) as f:
    f.write(b"temporary")
os.rename(f.name, "named")
with tempfile.TemporaryFile(dir=".") as f:
    f.write(b"x" * 100000)
    f.seek(50000)
    print(len(f.read()))
with open("mapped", "w+b") as f:
    f.truncate(300000)
    with mmap.mmap(f.fileno(), 0) as m:
        m[0:5] = b"start"
        m[299995:300000] = b"theend"[:5]
        m.flush()
with open("mapped", "r+b") as f:
    f.seek(1000)
    f.write(b"middle")
    f.seek(-3, os.SEEK_END)
    print(f.read())
with zipfile.ZipFile("z.zip", "w") as z:
    z.writestr(zipfile.ZipInfo("one"), b"1" * 5000)
    z.writestr(zipfile.ZipInfo("two"), b"2" * 5000)
with zipfile.ZipFile("z.zip", "a") as z:
    z.writestr(zipfile.ZipInfo("three"), b"3")
    print(z.testzip(), z.namelist())
try:
    os.rmdir("b2")
except OSError as e:
    print(e.strerror)
try:
    open("named", "x")
except OSError as e:
    print(e.strerror)
os.chmod("named", 0o640)
os.symlink("named", "link")
print(os.readlink("link"), os.stat("link").st_size, oct(os.stat("named").st_mode))
os.utime("named", (1000000000, 1000000000))
print(os.stat("named").st_mtime, sorted(os.listdir(".")))
PY
	both "python3 $PWD/script.py"
}

test_dd() {
	start_server
	mount_fs "$BUCKET"
	both '
		d() { dd status=none "$@"; }
		seq 1 200000 >in
		d if=in of=out bs=4096
		d if=in of=out bs=1000 seek=3 skip=7 count=20 conv=notrunc
		d if=in of=out bs=64K count=1 oflag=append conv=notrunc
		d if=in of=sparse bs=1K seek=5000 count=1
		d if=in of=sparse bs=1 seek=10 count=3 conv=notrunc
		d if=/dev/zero of=short bs=100 count=3 && d if=in of=short bs=7 count=1 seek=10
		d if=in of=swapped conv=swab bs=512 conv=fsync
		d if=out of=out bs=1M conv=notrunc
		truncate -s -1 out
		echo line >>out
		cat in short out >all
		tee x1 x2 <in >/dev/null
		split -b 300000 in part.
		cat part.* | cmp - in
		head -c 100000 in | gzip -n >in.gz && gzip -dc in.gz | md5sum
		md5sum *'
}

test_archives() {
	start_server
	mount_fs "$BUCKET"
	both '
		mkdir -p t/d1/d2 t/empty
		for i in $(seq 1 60); do echo "$i" >t/d1/f$i; done
		ln -s ../d1/f1 t/d1/d2/link
		chmod 600 t/d1/f5
		touch -d @1234567890 t/d1/f6
		tar --sort=name --owner=0 --group=0 -cf t.tar t
		mkdir out && tar -xf t.tar -C out
		stat -c "%Y %a" out/t/d1/f5 out/t/d1/f6 | tail -n 1
		diff -r --no-dereference t out/t
		cp -a t copy && diff -r --no-dereference t copy && stat -c %Y copy/d1/f6
		rm -rf t && mv copy t
		rm t.tar'
	command -v rsync >/dev/null || skip "rsync is not installed"
	both '
		rsync -a --delete t/ r
		rsync -ai t/ r
		echo changed >t/d1/f9 && rm t/d1/f10
		rsync -a --delete --checksum t/ r && diff -r --no-dereference t r
		rsync -a --inplace --no-whole-file t/ r
		rsync -ai t/ r'
}

test_fio() {
	command -v fio >/dev/null || skip "fio is not installed"
	start_server
	mount_fs "$BUCKET"
	mkdir "$MNT/fio"
	local kind
	for kind in write randwrite; do
		assert_exit 0 fio --output-format=terse --name="$kind" --directory="$MNT/fio" \
			--rw="$kind" --size=6m --bsrange=1k-64k --nrfiles=3 --verify=crc32c \
			--verify_fatal=1 --do_verify=1 --randseed=4711 --ioengine=psync --fallocate=none
	done
	assert_exit 0 fio --output-format=terse --name=mapped --directory="$MNT/fio" --rw=randwrite \
		--size=4m --bs=4k --verify=md5 --verify_fatal=1 --randseed=42 --ioengine=mmap \
		--fallocate=none
	# A second look, at what S3 has.
	remount "$BUCKET"
	assert_exit 0 fio --output-format=terse --name=write --directory="$MNT/fio" --rw=write \
		--size=6m --bsrange=1k-64k --nrfiles=3 --verify=crc32c --verify_fatal=1 --verify_only \
		--randseed=4711 --ioengine=psync
	(cd "$MNT/fio" && md5sum -- *) >mount
	s3 fetch "$BUCKET" fio/ fetched
	(cd fetched && md5sum -- *) >objects
	assert_same objects mount "contents"
}

run_tests "$@"
