// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow table of wire mode that takes over the flows of another one.
 */
#include "wire/resize.h"
#include "wire_lab.h"

static void flows_move(const struct programs *from, const struct programs *to)
{
	struct sluice_wire_meta meta = { .seed = SEED, .sets = SETS };

	assert_int_equal(wire_move_flows(bpf_map__fd(from->skel->maps.sluice_w_flows),
					 bpf_map__fd(to->skel->maps.sluice_w_flows), &meta),
			 0);
}

/* A table that takes over the flows of another one knows what is owed, and what is not. */
static void test_owed_in_table(void **state)
{
	struct shape request = request4(next_port(), WILDCARD);
	struct shape direct = to_target(request, NEAR4), reply = answer(&request, NEAR4);
	struct shape mended = answer(&request, request.target);
	const struct programs *from = &host, *to = &host_by_table;

	pass(from, from->in, &direct, &direct, SLUICE_WIRE_request_right);
	flows_move(from, to);
	pass(to, to->in, &request, &direct, SLUICE_WIRE_request_rewritten);
	pass(to, to->out, &reply, &reply, SLUICE_WIRE_reply_right);
	pass(to, to->out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
	/* what the slot held before is nothing to go by */
	pass(to, to->in, &direct, &direct, SLUICE_WIRE_request_right);
	flow_past(to, &request, 1000, 1000);
	pass(from, from->in, &direct, &direct, SLUICE_WIRE_request_right);
	pass(from, from->out, &reply, &reply, SLUICE_WIRE_reply_right);
	flows_move(from, to);
	pass(to, to->in, &request, &direct, SLUICE_WIRE_request_rewritten);
	pass(to, to->out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST) ||
	       wire_lab_load(&host_by_table, SLUICE_WIRE_HOST);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owed_in_table),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
