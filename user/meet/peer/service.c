// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/service.h"

#include "base/addr.h"
#include "cli/opt.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

const char *const service_kinds[] = { "?", "udp", "tcp", "member", NULL };

const char *const service_code_text[] = {
	[SERVICE_OK] = "accepted",
	[SERVICE_UNKNOWN] = "the peer exposes no such service",
	[SERVICE_SILENT] = "the service does not accept connections",
	[SERVICE_LIMIT] = "too many connections at once",
};

const char *service_describe(unsigned int code)
{
	return code < SERVICE_CODES ? service_code_text[code] : "refused for an unknown reason";
}

int service_parse_address(const char *what, const char *text, struct service_address *address,
			  struct err *err)
{
	struct service_address parsed = { .kind = SERVICE_UDP };
	bool known = !strncmp(text, "udp:", 4) || !strncmp(text, "tcp:", 4);

	if (!strncmp(text, "tcp:", 4))
		parsed.kind = SERVICE_TCP;
	if (!known || !addr_parse_port(text + 4, &parsed.at.addr, &parsed.at.port_be) ||
	    !parsed.at.port_be)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"%s%s'%s' is not a protocol, an address and a port",
					OPT_WHAT(what), text),
				"give udp:ADDR:PORT or tcp:ADDR:PORT, as in tcp:127.0.0.1:22 or"
				" udp:[::1]:53");
	*address = parsed;
	return 0;
}

bool service_is_name(const char *text)
{
	size_t i, length = strlen(text);

	if (!length || length > PEER_NAME_MAX || !isalnum((unsigned char)text[0]))
		return false;
	for (i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
			return false;
	return true;
}

int service_parse(const char *what, const char *text, struct service *service, struct err *err)
{
	const char *equals = strchr(text, '=');
	struct service parsed = { .name = "" };
	size_t length = equals ? (size_t)(equals - text) : 0;
	int result;

	if (equals) {
		snprintf(parsed.name, sizeof(parsed.name), "%.*s", (int)length, text);
		if (length > PEER_NAME_MAX || !service_is_name(parsed.name))
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL, "%s%s'%.*s' is not a name",
						OPT_WHAT(what), (int)length, text),
					"give up to %d letters, digits, '.', '_' and '-', the first"
					" one a letter or digit",
					PEER_NAME_MAX);
	}
	result = service_parse_address(what, equals ? equals + 1 : text, &parsed.address, err);
	if (!result)
		*service = parsed;
	return result;
}

const struct service *service_find(const struct service *services, unsigned int count,
				   enum service_kind kind, const char *name)
{
	const struct service *only = NULL;
	unsigned int i, of_kind = 0;

	for (i = 0; i < count; i++) {
		if (services[i].address.kind != kind)
			continue;
		if (!strcmp(services[i].name, name))
			return &services[i];
		only = &services[i];
		of_kind++;
	}
	return *name || of_kind != 1 ? NULL : only;
}

size_t service_request_put(uint8_t buffer[SERVICE_REQUEST_MAX], enum service_kind kind,
			   const void *text, size_t length)
{
	buffer[0] = (uint8_t)kind;
	buffer[1] = (uint8_t)length;
	memcpy(buffer + SERVICE_HEADER, text, length);
	return SERVICE_HEADER + length;
}

static bool is_valid_name(const char *name, size_t length)
{
	return strlen(name) == length && (!length || service_is_name(name));
}

int service_request_read(const uint8_t *data, size_t have, enum service_kind *kind,
			 char name[PEER_NAME_MAX + 1])
{
	size_t length, max;

	if (have && (data[0] < SERVICE_UDP || data[0] > SERVICE_MEMBER))
		return -EPROTO;
	if (have < SERVICE_HEADER)
		return 0;
	length = data[1];
	max = data[0] == SERVICE_MEMBER ? MEMBER_REQUEST_MAX : PEER_NAME_MAX;
	if (length > max)
		return -EPROTO;
	if (have < SERVICE_HEADER + length)
		return 0;
	*name = '\0';
	if (data[0] != SERVICE_MEMBER) {
		memcpy(name, data + SERVICE_HEADER, length);
		name[length] = '\0';
		if (!is_valid_name(name, length))
			return -EPROTO;
	}
	*kind = data[0];
	return (int)(SERVICE_HEADER + length);
}
