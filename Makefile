# SPDX-License-Identifier: GPL-2.0-or-later
# make, make check, make demo, make bench, make lint, make install; V=1 shows the commands.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   := build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
Q       := $(if $(V),,@)
say      = @printf '  %-5s %s\n' $(1) $(2)

PKGS    := libbpf jansson libmnl libnetfilter_conntrack libcap libevent_core inih
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes
STD     := -std=gnu11 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -Iinclude -Iuser -I$(BUILD)
LIBS     = $(shell pkg-config --libs $(PKGS)) -lelf -lz

# An include names the folder, so that it shows the layer that it reaches (tools/layers.py).
c_files  := $(wildcard user/*/*.c user/*/*/*.c)
objects  := $(c_files:user/%.c=$(BUILD)/user/%.o)
skels    := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard bpf/*/*.bpf.c))
# All but main.c, for the tests to link with.
testable := $(filter-out $(BUILD)/user/cmd/main.o,$(objects))

.SECONDARY:
.PHONY: all fuzz clean check units demo bench lint format info install uninstall setup
all: $(BUILD)/sluice

$(BUILD)/sluice: $(objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# --- BPF: objects from sources alone, embedded as libbpf skeletons

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

$(objects): $(BUILD)/user/%.o: user/%.c | $(skels)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -MMD -MP -c $< -o $@
-include $(objects:.o=.d)

# --- tests: the units again under the sanitizers

san      := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
san_objs := $(patsubst $(BUILD)/%,$(BUILD)/san/%,$(testable))
unit     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
prog     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/prog/*.c))
servers  := $(patsubst tests/servers/%.c,$(BUILD)/tests/%,$(wildcard tests/servers/*.c))
replay   := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(san_objs): $(BUILD)/san/user/%.o: user/%.c | $(skels)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) -MMD -MP -c $< -o $@
-include $(san_objs:.o=.d)

$(unit): $(BUILD)/tests/unit/%: tests/unit/%.c $(san_objs)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) -o $@ $^ $(LIBS) -lcmocka

$(prog): $(BUILD)/tests/prog/%: tests/prog/%.c $(testable) | $(skels)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $^ $(LIBS) -lcmocka

$(servers): $(BUILD)/tests/%: tests/servers/%.c $(wildcard tests/servers/*.h)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARN) -Iinclude -o $@ $< -lm -pthread

# A fuzzer each for libFuzzer (make fuzz), and a plain replay of its corpus (make check).
# Its target may include sources of ours; of which, it alone knows.
fuzz_see := $(wildcard include/sluice/*.h user/*/*.[ch] user/*/*/*.[ch])

$(fuzz): $(BUILD)/fuzz/%: tests/fuzz/%.c $(fuzz_see)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -O1 -g -fsanitize=fuzzer,address,undefined $(STD) -o $@ $< $(LIBS)

$(replay): $(BUILD)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(fuzz_see)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) -DCORPUS='"$(CURDIR)/tests/fuzz/corpus/$*"' -o $@ $< tests/fuzz/driver.c $(LIBS)

fuzz: $(fuzz)
	$(Q)for f in $(fuzz); do $$f -max_total_time=$(or $(SECONDS),60) \
		tests/fuzz/corpus/$$(basename $$f | sed s/fuzz_//) || exit 1; done

units: $(unit)
	$(Q)tests/run $(unit)

# Everything; without root the units alone, and it says so.
tested: all $(unit) $(replay) $(prog) $(servers)
check: setup-test
	$(Q)$(MAKE) --no-print-directory tested
	$(Q)tools/own-root tests/run $(unit) $(replay) $(prog) tests/net

demo: setup-demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo/run

# A part of it: make bench BENCH='--rows ^wire'; see tools/bench/run --help.
bench_with := $(BUILD)/tools/echo $(BUILD)/tools/hooks $(BUILD)/tools/packets \
	$(BUILD)/tools/empty.bpf.o $(BUILD)/tools/follow $(BUILD)/tools/steer \
	$(BUILD)/tools/steer_worker $(BUILD)/tools/steer_empty.bpf.o

$(BUILD)/tools/%: tools/bench/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) -o $@ $< $(LIBS)

$(BUILD)/tools/%.bpf.o: tools/bench/%.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_flags) -c $< -o $@

benched: all $(bench_with)
bench: setup-test
	$(Q)$(MAKE) --no-print-directory benched
	$(Q)tools/bench/run $(BENCH)

# How long a new port of a followed bridge waits until it is covered; as root.
bench-follow: all $(BUILD)/tools/follow
	$(Q)$(BUILD)/tools/follow $(BUILD)/sluice $(BENCH)

# What is installed here is looked for by the makes below, which read this file anew.
.PHONY: tested benched bench-follow setup-build setup-demo setup-test
setup: setup-test
setup-build setup-demo setup-test: setup-%:
	$(Q)tools/setup.sh $*

# --- care

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

# What each program costs the verifier and the JIT, on this kernel.
info: $(skels)
	$(Q)BPFTOOL=$(BPFTOOL) tools/info $(skels:.skel.h=.o)

install: all
	install -Dm755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/sbin/sluice
	install -Dm644 user/man/sluice.8 $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/sluice $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

clean:
	rm -rf $(BUILD)
