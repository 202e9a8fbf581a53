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
STD     := -std=gnu11 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -Iinclude
LIBS     = $(shell pkg-config --libs $(PKGS)) -lelf -lz

# Arrows only point down: each layer sees its own headers and those of the layers below it.
base_see := -Iuser/base
gate_see := -Iuser/gate -Iuser/base -I$(BUILD)/skel
meet_see := -Iuser/meet -Iuser/base
cmd_see  := -Iuser/cmd -Iuser/gate -Iuser/meet -Iuser/base
layers   := base gate meet cmd

c_files  := $(foreach l,$(layers),$(wildcard user/$(l)/*.c))
objects  := $(c_files:user/%.c=$(BUILD)/user/%.o)
skels    := $(patsubst bpf/%.bpf.c,$(BUILD)/skel/%.skel.h,$(wildcard bpf/*.bpf.c))
# All but main.c, for the tests to link with.
testable := $(filter-out $(BUILD)/user/cmd/main.o,$(objects))

.SECONDARY:
.PHONY: all fuzz clean check units demo bench lint format info install uninstall setup
all: $(BUILD)/sluice

$(BUILD)/sluice: $(objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# --- BPF: objects from sources alone, embedded as libbpf skeletons

bpf_flags = -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Iinclude \
	-isystem /usr/include/$(shell $(CC) -print-multiarch)

$(BUILD)/bpf/%.o: bpf/%.bpf.c $(wildcard bpf/*.h include/sluice/*.h)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_flags) -c $< -o $@.full
	$(Q)$(BPFTOOL) gen object $@ $@.full
	$(Q)rm -f $@.full

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf/%.o
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@.part && mv $@.part $@

# --- user space

define layer_rule
$$(BUILD)/user/$(1)/%.o: user/$(1)/%.c
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(STD) $$(WARN) $$($(1)_see) -MMD -MP -c $$< -o $$@
endef
$(foreach l,$(layers),$(eval $(call layer_rule,$(l))))
$(filter $(BUILD)/user/gate/%,$(objects)): | $(skels)
-include $(objects:.o=.d)

# --- tests: the units again under the sanitizers

see_all  := $(sort $(base_see) $(gate_see) $(meet_see) $(cmd_see))
san      := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
san_objs := $(patsubst $(BUILD)/%,$(BUILD)/san/%,$(testable))
unit     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
prog     := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/prog/*.c))
servers  := $(patsubst tests/servers/%.c,$(BUILD)/tests/%,$(wildcard tests/servers/*.c))
replay   := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/tests/fuzz/replay_%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(san_objs): $(BUILD)/san/user/%.o: user/%.c | $(skels)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) $(see_all) -MMD -MP -c $< -o $@
-include $(san_objs:.o=.d)

$(unit): $(BUILD)/tests/unit/%: tests/unit/%.c $(san_objs)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(WARN) $(see_all) -o $@ $^ $(LIBS) -lcmocka

$(prog): $(BUILD)/tests/prog/%: tests/prog/%.c $(testable) | $(skels)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(STD) $(WARN) $(see_all) -o $@ $^ $(LIBS) -lcmocka

$(servers): $(BUILD)/tests/%: tests/servers/%.c $(wildcard tests/servers/*.h)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARN) -Iinclude -o $@ $< -lm -pthread

# A fuzzer each for libFuzzer (make fuzz), and a plain replay of its corpus (make check).
# Its target may include sources of ours; of which, it alone knows.
fuzz_see := $(wildcard include/sluice/*.h user/base/*.[ch] user/cmd/*.[ch])

$(fuzz): $(BUILD)/fuzz/%: tests/fuzz/%.c $(fuzz_see)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -O1 -g -fsanitize=fuzzer,address,undefined $(STD) $(see_all) -o $@ $< $(LIBS)

$(replay): $(BUILD)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(fuzz_see)
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O1 -g $(san) $(STD) $(see_all) -DCORPUS='"$(CURDIR)/tests/fuzz/corpus/$*"' -o $@ $< tests/fuzz/driver.c $(LIBS)

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
	$(Q)tools/demo

bench_with := $(BUILD)/tools/echo $(BUILD)/tools/hooks $(BUILD)/tools/empty.bpf.o \
	$(BUILD)/tools/steer $(BUILD)/tools/steer_worker $(BUILD)/tools/steer_empty.bpf.o

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

# What is installed here is looked for by the makes below, which read this file anew.
.PHONY: tested benched setup-build setup-demo setup-test
setup: setup-test
setup-build setup-demo setup-test: setup-%:
	$(Q)tools/setup.sh $*

# --- care

sources := $(wildcard user/*/*.[ch] bpf/*.[ch] include/sluice/*.h tests/*/*.[ch] tools/*/*.[ch])

lint: setup-test
	$(Q)$(MAKE) --no-print-directory all
	$(call say,FMT,)
	$(Q)clang-format --dry-run --Werror $(sources)
	$(call say,CHECK,layers)
	$(Q)tools/layers.py --self-test
	$(Q)tools/layers.py
	$(call say,CHECK,cppcheck)
	$(Q)cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=missingIncludeSystem -D__SIZEOF_POINTER__=8 \
		'-DLIBBPF_OPTS(type,name,...)=struct type name' -Iinclude $(see_all) user tests/servers

format:
	$(Q)clang-format -i $(sources)

# What each program costs the verifier and the JIT, on this kernel.
info: $(skels)
	$(Q)BPFTOOL=$(BPFTOOL) tools/info $(skels:$(BUILD)/skel/%.skel.h=$(BUILD)/bpf/%.o)

install: all
	install -Dm755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/sbin/sluice
	install -Dm644 user/man/sluice.8 $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/sluice $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

clean:
	rm -rf $(BUILD)
