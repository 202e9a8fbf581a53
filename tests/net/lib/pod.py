#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the Pod template of a rendered manifest as podman would have to: prints, one argument a line
and NUL-terminated, the `podman run` arguments of one container of the template.

usage: pod.py MANIFEST KIND CONTAINER CONFIG-DIR NODE-IP   arguments of `podman run`
       pod.py MANIFEST KIND CONTAINER probe NODE-IP NAME   the URL of startup, liveness or readiness

CONFIG-DIR gets the files of the ConfigMaps. CONFIG-DIR/secrets/NAME has those of a Secret.

`podman kube play` of Debian 12 knows neither a DaemonSet nor mount propagation. Each field of the
template is translated, or listed below as one that concerns only the scheduler or the kubelet. An
unknown field is an error, so that the test cannot pass over it.
"""
import os
import sys

import yaml

# Fields that concern only Kubernetes.
POD_IGNORED = {"automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "nodeName",
               "nodeSelector", "priorityClassName", "restartPolicy", "terminationGracePeriodSeconds",
               "tolerations", "volumes", "containers", "initContainers"}
CONTAINER_IGNORED = {"name", "image", "command", "args", "ports", "resources", "terminationMessagePolicy",
                     "startupProbe", "livenessProbe", "readinessProbe"}
PROPAGATION = {None: "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def take(fields, known, where):
    unknown = set(fields) - set(known)
    if unknown:
        sys.exit(f"{where}: not translated: {', '.join(sorted(unknown))}")


def security(context):
    take(context, {"runAsUser", "privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem",
                   "capabilities"}, "securityContext")
    args = []
    if "runAsUser" in context:
        args += ["--user", str(context["runAsUser"])]
    if context.get("privileged"):
        args += ["--privileged"]
    elif not context.get("allowPrivilegeEscalation", True):
        args += ["--security-opt", "no-new-privileges"]
    if context.get("readOnlyRootFilesystem"):
        args += ["--read-only", "--read-only-tmpfs=false"]
    for key, names in context.get("capabilities", {}).items():
        args += [f"--cap-{key}={name}" for name in names]
    return args


def lay_out(data, mode, directory):
    """Lays out the files as the kubelet does: each file is a symbolic link through a link that can
    be switched."""
    os.makedirs(f"{directory}/..1")
    os.symlink("..1", f"{directory}/..data")
    for file, text in data.items():
        path = f"{directory}/..1/{file}"
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, mode)
        os.symlink(f"..data/{file}", f"{directory}/{file}")


def config_map(documents, volume):
    take(volume, {"name"}, "configMap")
    return next(d["data"] for d in documents
                if d["kind"] == "ConfigMap" and d["metadata"]["name"] == volume["name"])


def secret(volume, config):
    take(volume, {"secretName", "defaultMode"}, "secret")
    directory = f"{config}/secrets/{volume['secretName']}"
    return {file: open(f"{directory}/{file}").read() for file in os.listdir(directory)}


def mount(documents, volume, mounted, config):
    take(mounted, {"name", "mountPath", "readOnly", "mountPropagation"}, "volumeMounts")
    path = mounted["mountPath"]
    options = [PROPAGATION[mounted.get("mountPropagation")]]
    options += ["ro"] if mounted.get("readOnly") else []
    take(volume, {"name", "hostPath", "configMap", "secret", "emptyDir"}, "volumes")
    if "emptyDir" in volume:
        return ["--mount", f"type=tmpfs,destination={path}"]
    if "hostPath" in volume:
        source = volume["hostPath"]["path"]
        if volume["hostPath"]["type"] != "Directory" or not os.path.isdir(source):
            sys.exit(f"{source}: not a directory of the node")
    else:
        source = f"{config}/{volume['name']}"
        if os.path.isdir(source):
            pass
        elif "secret" in volume:
            lay_out(secret(volume["secret"], config), volume["secret"]["defaultMode"], source)
        else:
            lay_out(config_map(documents, volume["configMap"]), 0o644, source)
    return ["--volume", f"{source}:{path}:{','.join(options)}"]


def environment(variables, node_ip):
    """The values of the variables; the fields that they may refer to are those of the node."""
    values = {}
    for variable in variables:
        take(variable, {"name", "value", "valueFrom"}, "env")
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if "value" not in variable and field != "status.hostIP":
            sys.exit(f"env: not translated: {variable}")
        values[variable["name"]] = variable.get("value", node_ip)
    return values


def run(documents, spec, container, config, node_ip):
    take(spec, POD_IGNORED | {"hostNetwork", "hostPID", "securityContext"}, "the Pod")
    take(container, CONTAINER_IGNORED | {"env", "securityContext", "volumeMounts"}, "the container")
    args = security(container["securityContext"])
    take(spec["securityContext"], {"seccompProfile"}, "securityContext of the Pod")
    seccomp = spec["securityContext"]["seccompProfile"]["type"]
    if seccomp == "Unconfined":
        args += ["--security-opt", "seccomp=unconfined"]
    elif seccomp != "RuntimeDefault":
        sys.exit(f"seccompProfile {seccomp}: not translated")
    args += ["--network=host"] if spec.get("hostNetwork") else ["--network=none"]
    args += ["--pid=host"] if spec.get("hostPID") else []
    values = environment(container.get("env", []), node_ip)
    for name, value in values.items():
        args += ["--env", f"{name}={value}"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mounted in container["volumeMounts"]:
        args += mount(documents, volumes[mounted["name"]], mounted, config)
    command = container.get("command", [])
    if command:
        args += ["--entrypoint", command[0]]
    words = command[1:] + container.get("args", [])
    for name, value in values.items():
        words = [word.replace(f"$({name})", value) for word in words]
    return args + [container["image"]] + words


def main():
    manifest, kind, name, what, *rest = sys.argv[1:]
    with open(manifest) as file:
        documents = list(yaml.safe_load_all(file))
    spec = next(d for d in documents if d["kind"] == kind)["spec"]["template"]["spec"]
    container = next(c for c in spec.get("initContainers", []) + spec["containers"]
                     if c["name"] == name)
    if what == "probe":
        node_ip, name = rest
        get = container[name + "Probe"]["httpGet"]
        take(get, {"host", "port", "path"}, "httpGet")
        port = next(p["containerPort"] for p in container["ports"] if p["name"] == get["port"])
        words = [f"http://{get.get('host', node_ip)}:{port}{get['path']}"]
    else:
        words = run(documents, spec, container, what, *rest)
    sys.stdout.write("".join(word + "\0" for word in words))


main()
