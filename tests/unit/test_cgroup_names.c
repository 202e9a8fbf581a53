// SPDX-License-Identifier: GPL-2.0-or-later
/* The short name of a cgroup, and the container name in its path. */
#include "process/cgroup_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void assert_named(const char *path, const char *label, const char *container)
{
	char got[CGROUP_LABEL_MAX], id[CGROUP_CONTAINER_MAX];

	assert_string_equal(cgroup_label(path, got, id), label);
	assert_string_equal(id, container);
}

static void test_containers(void **state)
{
	assert_named("/system.slice/docker-" ID ".scope", "docker:0123456789ab", ID);
	assert_named("/docker/" ID, "docker:0123456789ab", ID);
	assert_named("/system.slice/docker-" ID ".scope/init.scope", "docker:0123456789ab", ID);
	assert_named("/machine.slice/libpod-" ID ".scope/container", "libpod:0123456789ab", ID);
	assert_named("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/"
		     "cri-containerd-" ID ".scope",
		     "cri-containerd:0123456789ab", ID);
	assert_named("/kubepods/besteffort/pod1/" ID, "container:0123456789ab", ID);
	assert_named("/lxc.payload.web/system.slice/nginx.service", "lxc:web", "web");
	assert_named("/machine.slice/machine-web.scope/payload", "machine:web", "web");
}

static void test_units(void **state)
{
	assert_named("/", "/", "");
	assert_named("", "/", "");
	assert_named("/init.scope", "init.scope", "");
	assert_named("/system.slice/snmpd.service", "snmpd.service", "");
	assert_named("/system.slice/knot.service/worker", "knot.service", "");
	assert_named("/user.slice/user-0.slice/session-3.scope", "session-3.scope", "");
	assert_named("/a/b/", "b", "");
	assert_named("//a//b", "b", "");
	assert_named("/tests/12", "12", "");
}

static void test_almost_a_container(void **state)
{
	/* too short, not hexadecimal, no separator */
	assert_named("/docker/0123", "0123", "");
	assert_named("/x/0123456789abcdeg", "0123456789abcdeg", "");
	assert_named("/machine-.scope", "machine-.scope", "");
	assert_named("/lxc.payload.", "lxc.payload.", "");
}

static void test_safe_for_a_terminal(void **state)
{
	char path[400] = "/", label[CGROUP_LABEL_MAX], id[CGROUP_CONTAINER_MAX];

	assert_named("/a\033[31m|b", "a?[31m?b", "");
	memset(path + 1, 'x', sizeof(path) - 2);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(strlen(cgroup_label(path, label, id)), CGROUP_LABEL_MAX - 1);
	memcpy(path, "/lxc.payload.", strlen("/lxc.payload."));
	assert_int_equal(strlen(cgroup_label(path, label, id)), CGROUP_LABEL_MAX - 1);
	assert_int_equal(strlen(id), CGROUP_CONTAINER_MAX - 1);
}

static void test_processes(void **state)
{
	struct cgroup_names names = { 0 };
	json_t *own = json_object(), *none = json_object();

	cgroup_names_json(&names, getpid(), own);
	cgroup_names_json(&names, getpid(), own);
	cgroup_names_json(&names, 0, none);
	assert_true(json_is_null(json_object_get(none, "cgroup")));
	assert_true(json_is_null(json_object_get(none, "container")));
	assert_string_equal(cgroup_names_text(&names, 0), "-");
	/* absent on a host without cgroup2 */
	if (json_is_string(json_object_get(own, "cgroup")))
		assert_int_equal(*json_string_value(json_object_get(own, "cgroup")), '/');
	json_decref(own);
	json_decref(none);
	cgroup_names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_almost_a_container),
		cmocka_unit_test(test_safe_for_a_terminal),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
