// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/cgroup_names.h"

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* --- the path */

#define ID_DIGITS    64
#define SHORT_DIGITS 12

/* A path component. */
struct part {
	const char *text;
	int length;
};

static bool ends_with(struct part part, const char *end)
{
	int length = (int)strlen(end);

	return part.length > length && !strncmp(part.text + part.length - length, end, length);
}

static bool begins_with(struct part part, const char *begin)
{
	int length = (int)strlen(begin);

	return part.length > length && !strncmp(part.text, begin, length);
}

static struct part without(struct part part, const char *begin, const char *end)
{
	part.text += strlen(begin);
	part.length -= (int)(strlen(begin) + strlen(end));
	return part;
}

static void label_set(char *label, char *container, const char *runtime, struct part id, int shown)
{
	snprintf(label, CGROUP_LABEL_MAX, "%s:%.*s", runtime, id.length < shown ? id.length : shown,
		 id.text);
	snprintf(container, CGROUP_CONTAINER_MAX, "%.*s", id.length, id.text);
}

/*
 * Returns true if the component names a container. With systemd, Docker, containerd, CRI-O and
 * Podman name the cgroup RUNTIME-ID.scope; without systemd, they name it ID, below a directory of
 * the runtime. LXC and machined use the name of the container.
 */
static bool container_of(struct part part, struct part parent, char *label, char *container)
{
	char runtime[24] = "container";
	struct part id;

	if (begins_with(part, "lxc.payload.")) {
		label_set(label, container, "lxc", without(part, "lxc.payload.", ""), part.length);
		return true;
	}
	id = without(part, "machine-", ".scope");
	if (begins_with(part, "machine-") && ends_with(part, ".scope") && id.length > 0) {
		label_set(label, container, "machine", id, id.length);
		return true;
	}
	id = ends_with(part, ".scope") ? without(part, "", ".scope") : part;
	if (id.length < ID_DIGITS)
		return false;
	id.text += id.length - ID_DIGITS;
	id.length = ID_DIGITS;
	if (strspn(id.text, "0123456789abcdef") < ID_DIGITS)
		return false;
	if (id.text > part.text && id.text[-1] == '-')
		snprintf(runtime, sizeof(runtime), "%.*s", (int)(id.text - 1 - part.text),
			 part.text);
	else if (id.text > part.text)
		return false;
	else if (parent.length == 6 && !strncmp(parent.text, "docker", 6))
		strcpy(runtime, "docker");
	label_set(label, container, runtime, id, SHORT_DIGITS);
	return true;
}

const char *cgroup_label(const char *path, char label[CGROUP_LABEL_MAX],
			 char container[CGROUP_CONTAINER_MAX])
{
	struct part part, parent = { "", 0 }, unit = { "/", 1 };
	bool is_unit = false;

	container[0] = '\0';
	for (; *path; path = part.text + part.length, parent = part) {
		part.text = path + strspn(path, "/");
		part.length = (int)strcspn(part.text, "/");
		if (!part.length)
			break;
		if (container_of(part, parent, label, container))
			goto out;
		/* the service itself creates the directories below its unit */
		if (is_unit)
			continue;
		unit = part;
		is_unit = ends_with(part, ".service") || ends_with(part, ".scope");
	}
	snprintf(label, CGROUP_LABEL_MAX, "%.*s", unit.length, unit.text);
out:
	return text_plain(label, CGROUP_LABEL_MAX);
}

/* --- the cache */

struct cgroup_name {
	pid_t pid;
	char *path; /* NULL: unknown */
	char label[CGROUP_LABEL_MAX];
	char container[CGROUP_CONTAINER_MAX];
	UT_hash_handle hh;
};

/*
 * Returns the path in cgroup2, from the line of /proc/PID/cgroup that starts with "0::", or NULL.
 */
static char *path_read(pid_t pid)
{
	char file_path[64], *line = NULL, *path = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(file_path, sizeof(file_path), "/proc/%d/cgroup", (int)pid);
	file = fopen(file_path, "re");
	if (!file)
		return NULL;
	while (!path && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::", 3))
			path = strdup(line + 3);
	}
	free(line);
	fclose(file);
	return path;
}

/* Returns the entry of a process, from the cache if possible, or NULL on ENOMEM. */
static const struct cgroup_name *lookup(struct cgroup_names *names, pid_t pid)
{
	struct cgroup_name *name;

	HASH_FIND_INT(names->by_pid, &pid, name);
	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	name->pid = pid;
	name->path = pid ? path_read(pid) : NULL;
	if (name->path)
		cgroup_label(name->path, name->label, name->container);
	HASH_ADD_INT(names->by_pid, pid, name);
	return name;
}

const char *cgroup_names_text(struct cgroup_names *names, pid_t pid)
{
	const struct cgroup_name *name = lookup(names, pid);

	return name && name->path ? name->label : "-";
}

void cgroup_names_json(struct cgroup_names *names, pid_t pid, json_t *object)
{
	const struct cgroup_name *name = lookup(names, pid);
	bool known = name && name->path;

	json_object_set_new(object, "cgroup", known ? output_name(name->path) : json_null());
	json_object_set_new(object, "container",
			    known && *name->container ? output_name(name->container) : json_null());
}

void cgroup_names_free(struct cgroup_names *names)
{
	struct cgroup_name *name, *next;

	HASH_ITER(hh, names->by_pid, name, next) {
		HASH_DEL(names->by_pid, name);
		free(name->path);
		free(name);
	}
}
