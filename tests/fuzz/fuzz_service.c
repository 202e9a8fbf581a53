// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the requests at the start of a stream: a request for a service, or for a member of the
 * pool. However the stream is cut, the same request comes out. A valid request is written again as
 * it was.
 *
 * with: user/base/addr.c user/base/err.c user/base/log.c user/base/text.c user/cli/opt.c
 * with: user/base/ports.c user/cli/suggest.c user/meet/peer/service.c user/meet/peer/member.c
 */
#include "fuzz.h"
#include "meet/peer/service.h"

#include <string.h>

static void check_member(const uint8_t *data, size_t length)
{
	static const uint8_t secret[KEY_SIZE];
	const struct introduction path = { .name = "bob" };
	struct introduction introduction;
	struct member_request request;
	uint8_t again[MEMBER_REQUEST_MAX];
	unsigned int i;

	if (member_request_read(data, length, &request))
		return;
	MUST(request.addresses <= MEMBER_ADDRESSES_MAX);
	MUST(member_request_put(again, &request) == length);
	MUST(!memcmp(again, data, length));
	member_introduce(&introduction, &path, &request, secret, true, 1);
	MUST(introduction.candidates == request.addresses);
	for (i = 0; i < introduction.candidates; i++)
		MUST(introduction.candidate[i].transport == CANDIDATE_TCP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[PEER_NAME_MAX + 1];
	uint8_t again[SERVICE_REQUEST_MAX];
	enum service_kind kind;
	size_t have;
	int result = 0;

	for (have = 0; have <= size && !result; have++)
		result = service_request_read(data, have, &kind, name);
	MUST(service_request_read(data, size, &kind, name) == result);
	if (result <= 0)
		return 0;
	MUST((size_t)result == have - 1 && (size_t)result <= SERVICE_REQUEST_MAX);
	if (kind == SERVICE_MEMBER) {
		check_member(data + SERVICE_HEADER, (size_t)result - SERVICE_HEADER);
		return 0;
	}
	MUST(service_request_put(again, kind, name, strlen(name)) == (size_t)result);
	MUST(!memcmp(again, data, (size_t)result));
	return 0;
}
