// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/unexplained.h"

static __u64 less(__u64 from, __u64 what)
{
	return from > what ? from - what : 0;
}

struct steer_unexplained steer_unexplained(const struct steer_balance *balance)
{
	return (struct steer_unexplained){
		.errors = less(less(balance->errors, balance->drops), balance->checksum),
		.vanished = less(balance->seen, balance->read + balance->errors),
	};
}
