// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs on truncated packets, wrong lengths, and noise. Each packet is derived from a
 * packet that the program would change, and must stay unchanged.
 */
#include "wire_lab.h"

/* --- packets that each program changes, the base of the malformed packets */

struct changed {
	const char *name;
	const struct programs *programs;
	int prog;
	struct shape shape;
	bool bare; /* without an Ethernet header */
};

/*
 * test_run interprets the first 14 bytes as an Ethernet header. Here they belong to the IP header:
 * the EtherType is part of the source address, and an odd first byte would mean a multicast MAC
 * address.
 */
static void frame_of(const struct changed *changed, const struct shape *shape, struct frame *frame)
{
	build_frame(shape, frame);
	if (changed->bare) {
		frame->len -= 14;
		memmove(frame->byte, frame->byte + 14, frame->len);
	}
}

static void run_through(const struct changed *changed, int prog, const struct shape *shape,
			struct frame *out)
{
	struct frame in;

	frame_of(changed, shape, &in);
	assert_int_equal(run_frame(prog, &in, 0, out), 0);
}

static struct shape bare_request(int version, uint16_t client_port)
{
	struct shape request = request_of(version, client_port, BACK);

	request.source = version == 4 ? BARE_CLIENT4 : BARE_CLIENT6;
	request.options = 4;
	return request;
}

/* Sends a request without an Ethernet header, to which the server connects back. */
static void bare_converse(const struct shape *request)
{
	const struct changed changed = { .bare = true };
	struct frame out;

	run_through(&changed, plain.in, request, &out);
	connect_back(request);
	run_through(&changed, plain.in, request, &out);
}

#define CHANGED_MAX 8

/* Creates a request and a reply with a known flow for each pair of programs. */
static int changed_make(struct changed *list, int version, int tags)
{
	struct shape request = tagged(request_of(version, next_port(), BACK), tags);
	struct shape inside = answer(&request, near_of(&request)), bare, behind, guest;
	struct frame out;
	int count = 0, i;

	list[count++] = (struct changed){ "host in", &host, host.in, request, false };
	list[count++] = (struct changed){ "host out", &host, host.out, inside, false };
	converse(&host, &request);
	guest = from_source(request, version == 4 ? GUEST4 : GUEST6);
	guest.source_port = next_port();
	converse(&port, &guest);
	list[count++] = (struct changed){ "port in", &port, port.in, guest, false };
	guest = answer(&guest, near_of(&guest));
	list[count++] = (struct changed){ "port out", &port, port.out, guest, false };
	if (!tags) {
		bare = bare_request(version, next_port());
		bare_converse(&bare);
		list[count++] = (struct changed){ "plain in", &plain, plain.in, bare, true };
		bare = answer(&bare, near_of(&bare));
		list[count++] = (struct changed){ "plain out", &plain, plain.out, bare, true };
	}
	if (version == 4) {
		behind = tagged(request_behind(), tags);
		gateway_converse(&behind);
		list[count++] = (struct changed){ "gateway out", &gateway, gateway.out, behind,
						  false };
		behind = answer(&behind, B2);
		list[count++] = (struct changed){ "gateway in", &gateway, gateway.in, behind,
						  false };
	}
	for (i = 0; i < count; i++) {
		struct frame in;

		frame_of(&list[i], &list[i].shape, &in);
		run_through(&list[i], list[i].prog, &list[i].shape, &out);
		if (!memcmp(in.byte, out.byte, in.len)) {
			print_error("%s, IPv%d, %d tags\n", list[i].name, version, tags);
			fail();
		}
	}
	return count;
}

/* Compares the programs without an Ethernet header with the other programs, byte for byte. */
static void test_bare(void **state)
{
	struct shape request, inside, reply, fixed;
	struct changed changed = { .bare = true };
	struct frame out, wanted;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = bare_request(version, next_port());
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		fixed = answer(&request, request.target);
		bare_converse(&request);
		run_through(&changed, plain.in, &request, &out);
		frame_of(&changed, &inside, &wanted);
		assert_frame(&out, &wanted);
		run_through(&changed, plain.out, &reply, &out);
		frame_of(&changed, &fixed, &wanted);
		assert_frame(&out, &wanted);
	}
}

/* --- wrong lengths and truncation */

/* Returns false if test_run rejects the frame, because it requires some of the headers. */
static bool is_left(const struct changed *changed, const struct frame *in)
{
	struct frame out;

	if (run_frame(changed->prog, in, 0, &out))
		return false;
	assert_frame(&out, in);
	return true;
}

static void cut(const struct changed *changed, const struct shape *shape)
{
	struct frame frame;

	frame_of(changed, shape, &frame);
	while (--frame.len > 14)
		if (!is_left(changed, &frame))
			break;
	/* at least the fixed IP header */
	assert_true(frame.len < 14 + 40 + 4 * (size_t)shape->vlan_tags);
}

/* Leaves a packet alone that is truncated at any byte. */
static void test_truncated(void **state)
{
	struct changed list[CHANGED_MAX];
	int version, tags, count, i;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++) {
			count = changed_make(list, version, tags);
			for (i = 0; i < count; i++) {
				struct shape shape = list[i].shape;

				cut(&list[i], &shape);
				shape.options = 40;
				shape.chain = version == 6 ? "hdrf" : NULL;
				if (!list[i].bare)
					cut(&list[i], &shape);
			}
		}
}

struct lie {
	int version;
	const char *what;
	size_t at; /* after the Ethernet header and the tags */
	uint8_t value;
};

static void test_lies(void **state)
{
	/* the datagram has 20 + 8 + 33 or 40 + 8 + 33 bytes */
	static const struct lie lies[] = {
		{ 4, "version 6", 0, 0x65 },
		{ 4, "version 0", 0, 0x05 },
		{ 4, "header of 16 bytes", 0, 0x44 },
		{ 4, "header of 0 bytes", 0, 0x40 },
		{ 4, "header of 60 bytes, into the data", 0, 0x4f },
		{ 4, "total length 0", 3, 0 },
		{ 4, "total length within the header", 3, 19 },
		{ 4, "total length within the UDP header", 3, 27 },
		{ 4, "total length one too many", 3, 62 },
		{ 4, "total length 256 too many", 2, 1 },
		{ 4, "offset beyond 65535", 6, 0x1f },
		{ 4, "UDP length 0", 25, 0 },
		{ 4, "UDP length 7", 25, 7 },
		{ 4, "UDP length one too many", 25, 42 },
		{ 4, "UDP length 256 too many", 24, 1 },
		{ 6, "version 4", 0, 0x40 },
		{ 6, "payload length 0", 5, 0 },
		{ 6, "payload length within the UDP header", 5, 7 },
		{ 6, "payload length one too many", 5, 42 },
		{ 6, "payload length 256 too many", 4, 1 },
		{ 6, "hop-by-hop options that are a UDP header", 6, IPPROTO_HOPOPTS },
		{ 6, "a fragment header that is a UDP header", 6, IPPROTO_FRAGMENT },
		{ 6, "UDP length 0", 45, 0 },
		{ 6, "UDP length 7", 45, 7 },
		{ 6, "UDP length one too many", 45, 42 },
		{ 6, "UDP length 256 too many", 44, 1 },
	};
	struct changed list[CHANGED_MAX];
	int version, tags, count, i;
	size_t n;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++) {
			count = changed_make(list, version, tags);
			for (n = 0; n < sizeof(lies) / sizeof(*lies) * (size_t)count; n++) {
				const struct lie *lie = &lies[n / (size_t)count];
				struct frame frame;
				uint8_t *at;

				i = (int)(n % (size_t)count);
				/*
				 * packets without an Ethernet header have options, because test_run
				 * would reject them otherwise
				 */
				if (lie->version != version || list[i].bare)
					continue;
				frame_of(&list[i], &list[i].shape, &frame);
				at = frame.byte + 14 + 4 * (size_t)tags;
				at[lie->at] = lie->value;
				if (lie->at == 0 && lie->value == 0x4f)
					at[3] = 61;
				assert_true(is_left(&list[i], &frame));
			}
		}
}

/*
 * Builds an inbound error that the program of a host, bridge port or gateway translates. Returns
 * false if the program translates none. The quoted datagram stays valid until the next call.
 */
static bool error_make(struct changed *changed, struct shape *error, int version, int which)
{
	static struct shape quoted;
	const struct programs *programs[] = { &host, &port, &gateway };
	struct shape request = request_of(version, next_port(), BACK);
	struct frame in, out;

	*changed = (struct changed){ .programs = programs[which], .prog = programs[which]->in };
	if (programs[which] != &gateway) {
		if (programs[which] == &port)
			request.source = version == 4 ? GUEST4 : GUEST6;
		quoted = answer(&request, request.target);
		converse(programs[which], &request);
	} else {
		if (version == 6)
			return false;
		request = request_behind();
		quoted = to_target(request, B2);
		gateway_converse(&request);
	}
	*error = error_about(&quoted, quoted.target, quoted.source, &errors[0]);
	if (programs[which] == &gateway)
		pass_withheld(error);
	frame_of(changed, error, &in);
	run_through(changed, changed->prog, error, &out);
	assert_memory_not_equal(out.byte, in.byte, in.len);
	return true;
}

static void lie_quoted(const struct changed *changed, const struct shape *error,
		       const struct lie *lie)
{
	size_t quoted = 14 + 4 * (size_t)error->vlan_tags + (lie->version == 4 ? 20 : 40) + 8;
	struct frame frame;

	frame_of(changed, error, &frame);
	frame.byte[quoted + lie->at] = lie->value;
	assert_true(is_left(changed, &frame));
}

/*
 * The same malformations in quoted headers. Fewer fields matter there: the programs ignore the
 * lengths.
 */
static void test_lies_quoted(void **state)
{
	static const struct lie lies[] = {
		{ 4, "version 6", 0, 0x65 },
		{ 4, "version 0", 0, 0x05 },
		{ 4, "header of 16 bytes", 0, 0x44 },
		{ 4, "header of 60 bytes, behind the end", 0, 0x4f },
		{ 4, "total length within the header", 3, 19 },
		{ 4, "total length within the UDP header", 3, 27 },
		{ 4, "a later fragment", 7, 1 },
		{ 4, "another protocol", 9, IPPROTO_TCP },
		{ 4, "UDP length 7", 25, 7 },
		{ 4, "UDP length one too many", 25, 42 },
		{ 6, "version 4", 0, 0x40 },
		{ 6, "payload length within the UDP header", 5, 7 },
		{ 6, "extension headers behind the end", 6, IPPROTO_DSTOPTS },
		{ 6, "a fragment header that is a UDP header", 6, IPPROTO_FRAGMENT },
		{ 6, "another protocol", 6, IPPROTO_TCP },
		{ 6, "UDP length 7", 45, 7 },
		{ 6, "UDP length one too many", 45, 42 },
	};
	int version, tags, which;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++)
			for (which = 0; which < 3; which++) {
				struct shape error;
				struct changed changed;
				size_t n;

				if (!error_make(&changed, &error, version, which))
					continue;
				error.vlan_tags = tags;
				cut(&changed, &error);
				for (n = 0; n < sizeof(lies) / sizeof(*lies); n++)
					if (lies[n].version == version)
						lie_quoted(&changed, &error, &lies[n]);
			}
}

static void test_deep_and_signed(void **state)
{
	struct shape request = request6(next_port(), BACK);

	request.chain = "hddddddddd";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
	request.chain = "dh"; /* hop-by-hop options must come first */
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
	request.chain = "a";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_signed);
	request.chain = "R";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_signed);
	request = request4(next_port(), BACK);
	request.vlan_tags = 3;
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
}

/* For any packet, the length stays the same, and only addresses and checksums may change. */
static void test_noise(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL;
	int round;

	for (round = 0; round < 20000; round++) {
		struct shape quoted = request_of(round % 2 ? 4 : 6, 19000, BACK), shape;
		size_t i, changes = 0;
		struct frame in, out;

		shape = quoted;
		if (round % 3 == 1)
			shape.chain = "hdf", shape.options = 8;
		if (round % 3 == 2)
			shape = error_about(&quoted, quoted.target, quoted.source, &errors[0]);
		build_frame(&shape, &in);
		for (i = 0; i < 1 + (size_t)round % 4; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			in.byte[12 + (random >> 33) % (in.len - 12)] ^= (uint8_t)(random >> 20) | 1;
		}
		assert_int_equal(run_frame(round % 5 ? host.in : host.out, &in, 0, &out), 0);
		assert_int_equal(out.len, in.len);
		for (i = 0; i < in.len; i++)
			changes += out.byte[i] != in.byte[i];
		assert_true(changes <= 2 * 16 + 4 * 2);
	}
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST) ||
	       wire_lab_load(&gateway, SLUICE_WIRE_GATEWAY) ||
	       wire_lab_load(&port, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT) ||
	       wire_lab_load(&plain, SLUICE_WIRE_HOST);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),	cmocka_unit_test(test_lies),
		cmocka_unit_test(test_lies_quoted),	cmocka_unit_test(test_bare),
		cmocka_unit_test(test_deep_and_signed), cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
