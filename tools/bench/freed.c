// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * freed: shows where the kernel frees unread datagrams to a UDP port (freed.bpf.c), for the rolling
 * restarts of the benchmark. Counts until a line arrives on stdin, then prints a JSON object of
 * kernel functions and numbers of datagrams. Covers all network namespaces.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
	fprintf(stderr, "freed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct bpf_object *counter_attach(const char *path, __u16 port)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_program *program;
	struct bpf_map *constants;

	if (!object)
		die(path);
	constants = bpf_object__find_map_by_name(object, ".rodata");
	port = htons(port);
	if (!constants || bpf_map__set_initial_value(constants, &port, sizeof(port)))
		die(".rodata");
	program = bpf_object__find_program_by_name(object, "count_freed");
	if (bpf_object__load(object) || !bpf_program__attach(program))
		die("kfree_skb");
	return object;
}

/* Finds the function of an address in /proc/kallsyms. */
static void function_name(__u64 address, char *name, size_t size)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[512], symbol[256];
	unsigned long long start, best = 0;

	snprintf(name, size, "0x%llx", address);
	while (symbols && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%llx %*c %255s", &start, symbol) == 2 && start <= address &&
		    start > best) {
			best = start;
			snprintf(name, size, "%s", symbol);
		}
	if (symbols)
		fclose(symbols);
}

static void print_freed(int fd)
{
	__u64 place, *previous = NULL, count;
	const char *comma = "";
	char name[256];

	putchar('{');
	while (!bpf_map_get_next_key(fd, previous, &place)) {
		previous = &place;
		if (bpf_map_lookup_elem(fd, &place, &count))
			continue;
		function_name(place, name, sizeof(name));
		printf("%s\"%s\":%llu", comma, name, count);
		comma = ",";
	}
	puts("}");
}

int main(int argc, char **argv)
{
	struct bpf_object *object;

	if (argc != 3) {
		fprintf(stderr, "usage, as root: freed OBJECT PORT\n");
		return 2;
	}
	object = counter_attach(argv[1], atoi(argv[2]));
	puts("{}");
	fflush(stdout);
	getchar();
	print_freed(bpf_object__find_map_fd_by_name(object, "freed"));
	bpf_object__close(object);
	return 0;
}
