// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/options.h"

#include "base/addr.h"

#include <errno.h>
#include <string.h>

int metrics_opt(const struct opt_value *v, struct err *err)
{
	struct metrics_address *address = v->field, parsed;
	bool is_port = *v->text && strspn(v->text, "0123456789") == strlen(v->text);
	char text[ADDR_TEXT_MAX];
	int length = snprintf(text, sizeof(text), "%s%s", is_port ? "127.0.0.1:" : "", v->text);

	if ((size_t)length >= sizeof(text) || !addr_parse_port(text, &parsed.addr, &parsed.port_be))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%s%s'%s' is not an address and a port", OPT_WHAT(v->what),
					v->text),
				"give PORT or ADDR:PORT, as in 9477, 192.0.2.1:9477 or [::1]:9477");
	*address = parsed;
	return 0;
}
