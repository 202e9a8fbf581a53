// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config_file.h"

#include "base/log.h"
#include "base/text.h"
#include "host/cgroup_root.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct config_file *config_file_hold(struct config_file *file)
{
	file->holders++;
	return file;
}

void config_file_drop(struct config_file *file)
{
	if (!file || --file->holders)
		return;
	config_free(&file->config);
	free(file);
}

static void log_problems(const struct conf *conf, const char *path)
{
	struct log_line line;
	size_t i;

	for (i = 0; i < conf->problems; i++) {
		log_begin(&line, LOG_LEVEL_ERROR, conf->problem[i].text);
		log_field(&line, "file", "%s", path);
		if (conf->problem[i].line)
			log_field(&line, "line", "%u", conf->problem[i].line);
		log_end(&line);
	}
}

int config_file_need_cgroup(struct config_file *file, const struct context *context,
			    struct err *err)
{
	struct context acting = *context;
	int result;

	if (*file->cgroup)
		return 0;
	if (file->config.location.cgroup && !context->given.cgroup)
		acting.cgroup = file->config.location.cgroup;
	result = cgroup_root_path(&acting, file->cgroup, err);
	if (result)
		*file->cgroup = '\0';
	return result;
}

/* Finds where to act: an option goes before the file, which goes before the environment. */
static void find_place(struct config_file *file, const struct context *context)
{
	struct config *config = &file->config;

	if (!config->location.bpffs || context->given.bpffs)
		config->location.bpffs = context->bpffs;
	config->reply.bpffs = config->wire.bpffs = config->location.bpffs;
	config->reply.cgroup = file->cgroup;
	/* steering does without */
	config_file_need_cgroup(file, context, &(struct err){ 0 });
}

int config_file_read(const struct context *context, const char *path, struct config_file **file,
		     struct err *err)
{
	struct config_file *fresh = calloc(1, sizeof(*fresh));
	int result;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", path);
	config_file_hold(fresh);
	result = config_read(path, &fresh->config, err);
	log_problems(&fresh->config.conf, path);
	if (result) {
		config_file_drop(fresh);
		return result;
	}
	find_place(fresh, context);
	*file = fresh;
	return 0;
}

/* A path may be in any alphabet. */
static const char *path_text(const char *path, char text[PATH_MAX])
{
	snprintf(text, PATH_MAX, "%s", path);
	return text_controls(text, false);
}

static void print_problems(struct conf *conf, const char *path)
{
	char name[PATH_MAX];
	size_t i;

	path_text(path, name);
	for (i = 0; i < conf->problems; i++) {
		const char *text = text_controls(conf->problem[i].text, false);

		if (conf->problem[i].line)
			fprintf(stderr, "%s:%u: %s\n", name, conf->problem[i].line, text);
		else
			fprintf(stderr, "%s: %s\n", name, text);
	}
}

int config_file_check(const struct context *context, const char *path, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	char name[PATH_MAX];
	int result;

	if (!config)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", path);
	result = config_read(path, config, err);
	print_problems(&config->conf, path);
	if (result)
		goto out;
	if (context->output.json) {
		json_t *document = output_document();

		json_object_set_new(document, "config", output_name(path));
		json_object_set_new(document, "reply", json_boolean(config->has_reply));
		json_object_set_new(document, "wire", json_boolean(config->has_wire));
		json_object_set_new(document, "steer", json_boolean(config->has_steer));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "%s: nothing is wrong with it\n",
			path_text(path, name));
	}
out:
	config_free(config);
	free(config);
	return result;
}
