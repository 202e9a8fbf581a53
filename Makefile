# SPDX-License-Identifier: GPL-2.0-or-later
#
#: make            the program, its man pages and completion scripts, below build/
#: make units      the unit tests, which need no root
#: make check      all tests, in 14 minutes, as root
#: make nightly    the long tests, as root
#: make demo       show each fault and its fix, as root
#: make bench      measure; BENCH='--rows ^wire' for some rows, see tools/bench/run --help
#: make fuzz       fuzz the parsers; SECONDS=60 each
#: make lint       format, layers, prose, cppcheck
#: make format     format the sources
#: make info       the cost of each BPF program for the verifier and the JIT
#: make install    install below PREFIX (/usr/local), SYSCONFDIR (/etc) and
#:                 UNITDIR (PREFIX/lib/systemd/system); DESTDIR is a prefix of all;
#:                 refuses to replace a file that it has not installed
#: make uninstall  remove what was installed below PREFIX and DESTDIR, except a
#:                 sluice.conf that was edited, there before or in use by another PREFIX
#: make dist       the release archive build/sluice-VERSION.tar.gz from the last commit
#: make deb        the Debian package from that archive, below build/
#: make image      the container image localhost/sluice:VERSION, also as build/sluice-image-VERSION.tar
#: make manifests  the rendered manifests of tools/deploy/kubernetes
#: make setup      install the required Debian packages, as root
#: make clean      remove build/
#:
#: V=1 shows the commands.

# The only place that states the version. Before a release it ends with -dev. The Debian package then
# has ~dev, which Debian sorts before the release.
VERSION := 0.3.0-dev
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DESTDIR    ?=
BUILD   := build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
Q       := $(if $(V),,@)
say      = @printf '  %-5s %s\n' $(1) $(2)

PKGS    := libbpf hogweed nettle jansson libmnl libnetfilter_conntrack libcap libevent_core libevent_extra inih
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Wmissing-prototypes -Wstrict-prototypes
STD     := -std=gnu11 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -Iinclude -Iuser -I$(BUILD)
LIBS     = $(shell pkg-config --libs $(PKGS)) -lelf -lz
# Loading GnuTLS takes longer than all else that most commands do. So only a second program, which
# sluice executes for the commands that need it, links these, and the tests that use them.
QUIC_PKGS := libngtcp2 libngtcp2_crypto_gnutls gnutls
QUIC_LIBS = -Wl,--as-needed $(shell pkg-config --libs $(QUIC_PKGS)) -lminiupnpc -lnatpmp

# Includes carry the directory, so that each shows the layer that it reaches (tools/layers.py).
c_files  := $(wildcard user/*/*.c user/*/*/*.c)
objects  := $(c_files:user/%.c=$(BUILD)/user/%.o)
skels    := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard bpf/*/*.bpf.c))
# The completion scripts, as strings for user/cmd/completion.c.
scripts  := $(patsubst user/cmd/%,$(BUILD)/%.inc,$(wildcard user/cmd/completion/*))
# What sluice links: only sluice-peer speaks QUIC, and asks gateways.
sluice_objects := $(filter-out $(patsubst %,$(BUILD)/user/meet/%/%,node forward quic mapping report),$(objects))
# All objects except main.o, for the tests to link with.
testable := $(filter-out $(BUILD)/user/cmd/main.o,$(objects))

.SECONDARY:
.PHONY: all help fuzz clean check nightly units demo bench lint format info install uninstall setup
.PHONY: dist deb image manifests
.DEFAULT_GOAL := all

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile


$(BUILD)/sluice: $(sluice_objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/sluice-peer: $(objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(QUIC_LIBS)

# VERSION is in this file.
$(patsubst %.c,$(BUILD)/%.o,$(shell grep -l SLUICE_VERSION $(c_files))): Makefile

# The same program, as if all ABI versions had been raised, for tests/nightly/upgrade.sh.
raised := $(patsubst user/%.c,$(BUILD)/raised/user/%.o,$(shell grep -l 'SLUICE_[A-Z]*_ABI' $(c_files)))

$(BUILD)/raised/sluice: $(raised) $(filter-out $(raised:$(BUILD)/raised/%=$(BUILD)/%),$(sluice_objects))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# --- BPF: objects built from source, embedded as libbpf skeletons

bpf_flags = -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Iinclude -Ibpf \
	-isystem /usr/include/$(shell $(CC) -print-multiarch)

$(BUILD)/bpf/%.o: bpf/%.bpf.c $(wildcard bpf/*/*.h include/sluice/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_flags) -c $< -o $@.full
	$(Q)$(BPFTOOL) gen object $@ $@.full
	$(Q)rm -f $@.full

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.o
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@.part && mv $@.part $@

# --- user space

$(scripts): $(BUILD)/%.inc: user/cmd/%
	$(Q)mkdir -p $(@D)
	$(Q)sed 's/[\\"]/\\&/g; s/\t/\\t/g; s/.*/"&\\n"/' $< >$@

$(objects): $(BUILD)/user/%.o: user/%.c | $(skels) $(scripts)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(STD) $(WARN) -MMD -MP -c $< -o $@
$(raised): $(BUILD)/raised/user/%.o: user/%.c | $(skels) $(scripts)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(STD) $(WARN) -DSLUICE_ABI_RAISE=1 -MMD -MP -c $< -o $@
-include $(objects:.o=.d) $(raised:.o=.d)

# --- tests: units that a unit test includes, user/base, and the parts of meet that parse what
# the network sends, are built again with the sanitizers

san      := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
san_see  := $(shell sed -n 's,^\#include "\(.*\)\.h"$$,user/\1.c,p' tests/unit/*.c)
san_objs := $(patsubst user/%.c,$(BUILD)/san/user/%.o,$(sort $(wildcard user/base/*.c user/cli/*.c user/meet/*/*.c $(san_see))))
unit     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
prog     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/prog/*.c))
servers  := $(patsubst tests/servers/%.c,$(BUILD)/tests/%,$(wildcard tests/servers/*.c))
replay   := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(san_objs): $(BUILD)/san/user/%.o: user/%.c | $(skels) $(scripts)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) -MMD -MP -c $< -o $@
-include $(san_objs:.o=.d)

# Each test links the units that it needs from an archive.
$(BUILD)/san/units.a: $(san_objs)
$(BUILD)/units.a: $(testable)
$(BUILD)/units.a $(BUILD)/san/units.a:
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(unit): $(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/san/units.a $(BUILD)/units.a $(wildcard tests/unit/*.h)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) -o $@ $(filter-out %.h,$^) $(LIBS) -lcmocka $(QUIC_LIBS)

$(prog): $(BUILD)/tests/prog/%: tests/prog/%.c $(wildcard tests/prog/*.h) $(BUILD)/units.a | $(skels)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $< $(BUILD)/units.a $(LIBS) -lcmocka

$(servers): $(BUILD)/tests/%: tests/servers/%.c $(wildcard tests/servers/*.h)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARN) -Iinclude -o $@ $< -lm -pthread

# The simulation of pairs of peers without the sanitizers: 100,000 pairs take a minute.
$(BUILD)/tests/pairs: tests/unit/test_peer_punch.c tests/unit/peer_sim.h $(BUILD)/units.a
	$(call say,TEST,$<)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $< $(BUILD)/units.a $(LIBS) -lcmocka

# For each fuzz target: a fuzzer with libFuzzer (make fuzz), and a plain replay of its corpus (make
# check). A target may include sources of the program, or name them in lines " * with: FILE…".
fuzz_with = $(wildcard $(shell sed -n 's,^ \* with: ,,p' $<))
fuzz_see := $(wildcard include/sluice/*.h user/*/*.[ch] user/*/*/*.[ch] tests/fuzz/*.h tests/unit/*.h)

$(fuzz): $(BUILD)/fuzz/%: tests/fuzz/%.c $(fuzz_see)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -O1 -g -fsanitize=fuzzer,address,undefined $(STD) -o $@ $< $(fuzz_with) $(LIBS)

$(replay): $(BUILD)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(fuzz_see)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) -DCORPUS='"$(CURDIR)/tests/fuzz/corpus/$*"' -o $@ $< tests/fuzz/driver.c \
		$(fuzz_with) $(LIBS)

fuzz: $(fuzz)
	$(Q)for f in $(fuzz); do $$f -max_total_time=$(or $(SECONDS),60) \
		tests/fuzz/corpus/$$(basename $$f | sed s/fuzz_//) || exit 1; done

units: $(unit)
	$(Q)tests/run $(unit)

# Builds on all CPUs, unless make was given -j.
parallel = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# All tests; without root only the units, with a note.
net      := $(filter-out tests/net/lib,$(wildcard tests/net/*))

tested: all $(unit) $(replay) $(prog) $(servers)
# CHECK: options of tests/run, such as CHECK='--shuffle --slowest 20', or --long for all tests
check: setup-test
	$(Q)$(MAKE) $(parallel) --no-print-directory tested
	$(Q)tools/own-root tests/run $(CHECK) $(prog) $(net) $(unit) $(replay)

# Tests that take longer than a minute, need more packages than `make check`, or take long for it.
takes_long = $(shell grep -l '^. takes long: ' $(addsuffix /*.sh,$(net)))
nightly: setup-nightly
	$(Q)$(MAKE) $(parallel) --no-print-directory tested $(fuzz) image $(BUILD)/tests/pairs \
		$(BUILD)/raised/sluice
	$(Q)tools/own-root tests/run --timeout 1800 $(CHECK) tests/nightly $(takes_long)

demo: setup-demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo/run

# Selected rows: make bench BENCH='--rows ^wire'; see tools/bench/run --help.
bench_with := $(BUILD)/tools/echo $(BUILD)/tools/hooks $(BUILD)/tools/packets \
	$(BUILD)/tools/empty.bpf.o $(BUILD)/tools/follow $(BUILD)/tools/steer \
	$(BUILD)/tools/steer_worker $(BUILD)/tools/steer_empty.bpf.o $(BUILD)/tools/freed \
	$(BUILD)/tools/freed.bpf.o $(BUILD)/tools/hold $(BUILD)/tests/udp-requests \
	$(BUILD)/tools/rendezvous $(BUILD)/tools/softirq.bpf.o \
	$(BUILD)/tools/reflect.bpf.o

$(BUILD)/tools/%: tools/bench/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $< $(LIBS)

$(BUILD)/tools/%.bpf.o: tools/bench/%.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_flags) -c $< -o $@

# Measure the daemon's timers with a million flows, and the rendezvous server with a million peers.
$(BUILD)/tools/hold $(BUILD)/tools/rendezvous: $(BUILD)/tools/%: tools/bench/%.c $(BUILD)/units.a
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $^ $(LIBS)

benched: all $(bench_with)
bench: setup-bench
	$(Q)$(MAKE) --no-print-directory benched
	$(Q)tools/bench/run $(BENCH)

# Measures the time until a new port of a watched bridge is covered; as root.
bench-follow: all $(BUILD)/tools/follow
	$(Q)$(BUILD)/tools/follow $(BUILD)/sluice $(BENCH)

# Shows datagrams that the kernel delivers to a closing socket; as root.
bench-close: $(BUILD)/tools/close
	$(Q)$(BUILD)/tools/close $(BENCH)

# The inner makes read this file again, and so find the packages that this one installs.
.PHONY: tested benched bench-follow bench-close setup-build setup-demo setup-test setup-bench setup-package setup-image setup-nightly
setup: setup-test
setup-build setup-demo setup-test setup-bench setup-package setup-image setup-nightly: setup-%:
	$(Q)tools/setup.sh $*

# --- maintenance

sources := $(wildcard user/*/*.[ch] user/*/*/*.[ch] bpf/*/*.[ch] include/sluice/*.h tests/*/*.[ch] tools/*/*.[ch])

lint: setup-test
	$(Q)$(MAKE) --no-print-directory all
	$(call say,FMT,)
	$(Q)clang-format --dry-run --Werror $(sources)
	$(call say,CHECK,layers)
	$(Q)tools/layers.py --self-test
	$(Q)tools/layers.py
	$(call say,CHECK,prose)
	$(Q)tools/prose.py --self-test
	$(Q)tools/prose.py
	$(call say,CHECK,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=missingIncludeSystem -D__SIZEOF_POINTER__=8 \
		'-DLIBBPF_OPTS(type,name,...)=struct type name' -Iinclude -Iuser user tests/servers

format:
	$(Q)clang-format -i $(sources)

# Prints the cost of each program for the verifier and the JIT, on this kernel.
info: $(skels)
	$(Q)BPFTOOL=$(BPFTOOL) tools/info $(skels:.skel.h=.o)

# --- man pages, completion, installation

pages       := $(patsubst user/man/%,$(BUILD)/man/%,$(wildcard user/man/*.[1-8]))
completions := $(patsubst user/cmd/%,$(BUILD)/%,$(wildcard user/cmd/completion/*))

# The lists of options come from the program.
$(pages): $(BUILD)/man/%: user/man/% tools/man $(BUILD)/sluice
	$(call say,MAN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)tools/man $(BUILD)/sluice $< >$@.part && mv $@.part $@

$(completions): $(BUILD)/completion/sluice.%: $(BUILD)/sluice
	$(Q)$(BUILD)/sluice completion $* >$@

all: $(BUILD)/sluice $(BUILD)/sluice-peer $(pages) $(completions)

export PREFIX SYSCONFDIR UNITDIR DESTDIR
install: all
	$(Q)tools/install install $(BUILD)

uninstall:
	$(Q)tools/install uninstall $(BUILD)

# --- release

archive := $(BUILD)/sluice-$(VERSION).tar.gz

# The same commit gives the same bytes, whatever the directory, the user, the clock or the umask.
dist:
	$(Q)git diff --quiet HEAD || { echo "dist: commit the changes, or the archive lacks them" >&2; exit 1; }
	$(Q)mkdir -p $(BUILD)
	$(call say,DIST,$(archive))
	$(Q)git -c tar.umask=0022 -c core.autocrlf=false archive --format=tar --prefix=sluice-$(VERSION)/ \
		-o $(archive).part HEAD
	$(Q)gzip -9nc $(archive).part >$(archive) && rm -f $(archive).part

deb: setup-package dist
	$(Q)tools/deploy/debian/build $(archive) $(VERSION) $(BUILD)

image: setup-image deb
	$(Q)tools/deploy/image/build $(BUILD)/sluice_$(subst -,~,$(VERSION))_*.deb localhost/sluice:$(VERSION) \
		$(BUILD)/sluice-image-$(VERSION).tar

# Debian's kubectl: another version may compute other checksums.
manifests: setup-nightly
	$(Q)tools/deploy/kubernetes/render $(VERSION)

clean:
	rm -rf $(BUILD)
