// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gathers candidates with node-datachannel (libjuice) and werift, from each of the STUN servers, and
 * asks them with the codec of the package stun.
 * Usage: gather.cjs DIRECTORY-OF-PACKAGES ADDR:PORT…
 * Prints a line for each library and server: its name, the server, the server-reflexive address.
 */
"use strict";

const { createRequire } = require("node:module");

const [packages, ...servers] = process.argv.slice(2);
const load = createRequire(`${packages}/package.json`);
const datachannel = load("node-datachannel");
const { RTCPeerConnection } = load("werift");
const stun = load("stun");

async function byDatachannel(server) {
	const candidates = [];
	const peer = new datachannel.PeerConnection("peer", { iceServers: [`stun:${server}`] });
	await new Promise((resolve) => {
		peer.onLocalCandidate((candidate) => candidates.push(candidate));
		peer.onGatheringStateChange((state) => state === "complete" && resolve());
		peer.createDataChannel("any");
	});
	return candidates;
}

async function byWerift(server) {
	const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:${server}` }] });
	peer.createDataChannel("any");
	await peer.setLocalDescription(await peer.createOffer());
	const candidates = peer.localDescription.sdp.split("\n");
	await peer.close();
	return candidates;
}

async function byStun(server) {
	const message = stun.createMessage(stun.constants.STUN_BINDING_REQUEST);
	message.addSoftware("interop");
	message.addFingerprint();
	const response = await stun.request(server, { message });
	if (!stun.validateFingerprint(response))
		return [];
	// in the form of a candidate
	return [`1 1 udp 1 ${response.getXorAddress().address} 0 typ srflx `];
}

async function report(name, gather, server) {
	const candidates = await gather(server);
	const reflexive = candidates.find((candidate) => candidate.includes(" typ srflx "));
	// foundation, component, transport, priority, address
	console.log(name, server, reflexive ? reflexive.split(" ")[4] : "none");
}

async function main() {
	await Promise.all(servers.flatMap((server) => [
		report("node-datachannel", byDatachannel, server),
		report("werift", byWerift, server),
		report("stun", byStun, server),
	]));
	// the threads of libdatachannel may outlive what they use
	process.reallyExit(0);
}

main();
