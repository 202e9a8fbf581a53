// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Who holds which UDP socket: walks the open files of all tasks of the reader's PID namespace and
 * writes a record for each UDP socket.  Unlike sock_diag with /proc it needs no walk through the
 * network namespaces, and it knows the socket cookies that the other programs use as keys.
 */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <sluice/sockets.h>

#define core __attribute__((preserve_access_index))

struct task_struct {
	int pid;
	int tgid;
	char comm[SLUICE_COMM_SIZE];
} core;

struct socket {
	struct sock *sk;
} core;

struct seq_file;
struct file;

struct bpf_iter_meta {
	struct seq_file *seq;
} core;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} core;

SEC("iter/task_file")
int sluice_sockets(struct bpf_iter__task_file *ctx)
{
	struct sluice_socket_record record = {};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	record.cookie = sk->__sk_common.skc_cookie.counter;
	record.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	record.family = sk->__sk_common.skc_family;
	record.port = sk->__sk_common.skc_num;
	record.pid = task->tgid;
	record.fd = ctx->fd;
	bpf_probe_read_kernel_str(record.comm, sizeof(record.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
