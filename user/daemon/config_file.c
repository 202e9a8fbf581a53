// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config_file.h"

#include "base/log.h"
#include "base/text.h"
#include "host/cgroup_root.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct config_file *config_file_get(struct config_file *file)
{
	file->refs++;
	return file;
}

void config_file_put(struct config_file *file)
{
	if (!file || --file->refs)
		return;
	config_free(&file->config);
	free(file);
}

int config_file_need_cgroup(struct config_file *file, const struct context *context,
			    struct err *err)
{
	struct context acting = *context;
	int result;

	if (*file->cgroup)
		return 0;
	acting.cgroup = file->config.location.cgroup;
	result = cgroup_root_path(&acting, file->cgroup, err);
	if (result)
		*file->cgroup = '\0';
	return result;
}

int config_file_read(const struct context *context, const char *path, struct config_file **file,
		     struct err *err)
{
	struct config_file *fresh = calloc(1, sizeof(*fresh));
	struct log_line line;
	struct config *config;
	int result;
	size_t i;

	if (!fresh)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: out of memory", path);
	config_file_get(fresh);
	config = &fresh->config;
	result = config_read(path, config, err);
	for (i = 0; i < config->conf.problems; i++) {
		log_begin(&line, LOG_LEVEL_ERROR, config->conf.problem[i].text);
		log_field(&line, "file", "%s", path);
		if (config->conf.problem[i].line)
			log_field(&line, "line", "%u", config->conf.problem[i].line);
		log_end(&line);
	}
	if (result) {
		config_file_put(fresh);
		return result;
	}
	config->location = environment_location(&context->given, &config->location);
	config->reply.bpffs = config->wire.bpffs = config->hold.bpffs = config->location.bpffs;
	config->reply.cgroup = fresh->cgroup;
	/* ignore the failure: steering works without a cgroup */
	config_file_need_cgroup(fresh, context, &(struct err){ 0 });
	*file = fresh;
	return 0;
}

int config_file_check(const struct context *context, const char *path, struct err *err)
{
	char name[PATH_MAX];
	struct config config;
	int result;
	size_t i;

	/* A path may hold control characters. */
	snprintf(name, sizeof(name), "%s", path);
	text_controls(name, false);
	result = config_read(path, &config, err);
	for (i = 0; i < config.conf.problems; i++) {
		const struct conf_problem *problem = &config.conf.problem[i];

		fprintf(stderr, "%s:", name);
		if (problem->line)
			fprintf(stderr, "%u:", problem->line);
		fprintf(stderr, " %s\n", text_controls(problem->text, false));
	}
	if (result)
		goto out;
	if (context->output.json) {
		json_t *document = output_document();

		json_object_set_new(document, "config", output_name(path));
		for (i = 0; i < SECTION_GLOBAL; i++)
			json_object_set_new(document, config_section_names[i],
					    json_boolean(config.has[i]));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "%s: no problems found\n", name);
	}
out:
	config_free(&config);
	return result;
}
