/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Shared by the iterators over the open files of all tasks: the kernel types that lead from a file
 * to its socket, and from a task to its process ids.
 *
 * file_sock() recognises a socket by its file system. bpf_sock_from_file() was rejected: it needs
 * Linux 5.11, while the iterator needs only Linux 5.8.
 */
#ifndef SLUICE_BPF_COMMON_TASK_FILES_H
#define SLUICE_BPF_COMMON_TASK_FILES_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/magic.h>
#include <sluice/sockets.h>
#include <stddef.h>

#define __core __attribute__((preserve_access_index))

struct pid_namespace {
	struct ns_common ns;
} __core;

struct upid {
	int nr;
	struct pid_namespace *ns;
} __core;

struct pid {
	unsigned int level;
	struct upid numbers[];
} __core;

struct user_namespace {
	struct user_namespace *parent;
	int level;
	struct {
		__u32 val;
	} owner;
} __core;

struct cred {
	struct {
		__u32 val;
	} uid;
	struct user_namespace *user_ns;
} __core;

struct task_struct {
	int pid;
	struct task_struct *group_leader;
	const struct cred *real_cred;
	struct pid *thread_pid;
	char comm[SLUICE_COMM_SIZE];
} __core;

struct socket {
	struct sock *sk;
} __core;

struct super_block {
	unsigned long s_magic;
} __core;

struct inode {
	struct super_block *i_sb;
} __core;

struct file {
	struct inode *f_inode;
	void *private_data;
} __core;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} __core;

#undef __core

/* Returns the socket of a file, or NULL if the file is not a socket or was opened with O_PATH. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct socket *socket;

	/* plain loads, without a helper: most files are not sockets */
	if (file->f_inode->i_sb->s_magic != SOCKFS_MAGIC)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

#endif
