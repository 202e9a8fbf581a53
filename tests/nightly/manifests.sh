#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The rendered Kubernetes manifests equal the output of kubectl, contain the version of the program,
# and are valid for Kubernetes 1.19 and 1.34: all types are right, and all fields are known.
. "$(dirname "$0")/../net/lib/lib.sh"

VERSION=$("$SLUICE" --version)
VERSION=${VERSION##* }
RENDERED=$ROOT/tools/deploy/kubernetes/rendered
KUBECTL=$(server_path usr/bin/kubectl)
export KUBECTL

say "rendering with Debian's kubectl yields the same"
cp -r "$ROOT/tools/deploy/kubernetes" "$TEST_TMP/kubernetes"
RENDERED=$TEST_TMP/again "$TEST_TMP/kubernetes/render" "$VERSION"
diff -r "$RENDERED" "$TEST_TMP/again" || fail "run 'make manifests'"

say "the models of npm"
# the models of 1.19.2, and of a release with the fields of 1.34
npm install --prefix "$TEST_TMP/npm" --cache "$TEST_TMP/cache" --ignore-scripts --no-audit --no-fund \
	typescript@5.9.3 k119@npm:kubernetes-models@1.7.1 k134@npm:kubernetes-models@5.1.0 \
	@kubernetes-models/prometheus-operator@6.0.0 >"$TEST_TMP/npm.log" 2>&1 || fail "$(cat "$TEST_TMP/npm.log")"

# typed MODELS FILE…: prints a program that creates a typed object from each manifest, and validates
# it
typed()
{
	python3 - "$@" <<-'PYTHON'
		import json
		import sys

		import yaml

		models, *files = sys.argv[1:]
		number = 0
		for file in files:
		    for document in yaml.safe_load_all(open(file)):
		        number += 1
		        package = models
		        version, kind = document.pop("apiVersion"), document.pop("kind")
		        if "coreos" in version:
		            if models == "k119":
		                continue  # its models are modules; 1.19 has none
		            package = "@kubernetes-models/prometheus-operator"
		        print(f'import {{ {kind} as Kind{number} }} from "{package}/{version}";')
		        print(f"new Kind{number}({json.dumps(document)}).validate(); // {file}")
	PYTHON
}

# valid MODELS FILE…
valid()
{
	local m=m
	[ "$1" != k119 ] || m=c
	typed "$@" >"$TEST_TMP/npm/manifests.${m}ts"
	(
		cd "$TEST_TMP/npm"
		node_modules/.bin/tsc --strict --skipLibCheck --module nodenext --moduleResolution nodenext \
			--target es2022 "manifests.${m}ts" && node "manifests.${m}js"
	)
}

for models in k119 k134; do
	want_status 0 valid "$models" "$RENDERED"/*.yaml
done

say "a misspelt field and a wrong type are found"
sed 's/hostPID: true/hostPid: true/' "$RENDERED/base.yaml" >"$TEST_TMP/wrong.yaml"
want_status 2 valid k134 "$TEST_TMP/wrong.yaml"
want_text hostPid
sed 's/replicas: 1/replicas: one/' "$RENDERED/rendezvous.yaml" >"$TEST_TMP/wrong.yaml"
want_status 2 valid k134 "$TEST_TMP/wrong.yaml"
