# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reads a server of metrics and probes: metrics.py PORT CHECK.

  formats NAME=FILE:LIST…  both formats parse, agree, and have the names of their conventions, and
                           all counters of LIST, as sluice_NAME_KEY_total, with the value 0; prints
                           the text
  value SAMPLE…            prints the values of samples such as sluice_steer_groups{port="53"}:
                           labels that are not named may have any value
  get PATH                 prints the status and the body
  protocol                 methods and paths that are not served
"""
import http.client
import re
import sys

PORT, CHECK, *WORDS = sys.argv[1:]
OPEN = "application/openmetrics-text"
# as Prometheus 2.42 sends it
ACCEPT = (f"{OPEN};version=1.0.0,{OPEN};version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def request(path, method="GET", headers=(), body=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(PORT), timeout=20)
    connection.request(method, path, headers=dict(headers), body=body)
    answer = connection.getresponse()
    text = answer.read().decode("ascii")
    connection.close()
    return answer, text


def samples(families):
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def check_names(families):
    for family in families:
        assert re.fullmatch(r"(sluice|process)_[a-z0-9_]+", family.name), family.name
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "info"), family
        words = family.name.split("_")
        for unit in "bytes", "seconds":
            assert unit not in words or words[-1] == unit == family.unit, family
        assert family.samples, f"{family.name} has no series"
        for sample in family.samples:
            assert family.type != "counter" or sample.value >= 0, sample
            assert sample.name.endswith("_total") == (family.type == "counter"), sample
            # never an address, a path, or an id
            for label, value in sample.labels.items():
                assert label in ("object", "table", "program", "section", "state", "netns",
                                 "port", "cpu", "version", "peer", "kind"), sample
                assert re.fullmatch(r"[A-Za-z0-9_.-]+", value), sample


def parsed(text):
    """Parses the text. Imports late, because most checks do not need the module, and its import is
    slow."""
    from prometheus_client import parser
    return samples(parser.text_string_to_metric_families(text))


def formats():
    from prometheus_client.openmetrics import parser as openmetrics

    answer, opened = request("/metrics", headers={"Accept": ACCEPT})
    assert answer.status == 200 and answer.getheader("Content-Type").startswith(
        OPEN + "; version=1.0.0"), answer.getheaders()
    families = list(openmetrics.text_string_to_metric_families(opened))
    check_names(families)
    answer, text = request("/metrics")
    assert answer.status == 200
    assert answer.getheader("Content-Type").startswith("text/plain; version=0.0.4")
    plain = parsed(text)
    differ = {key for key in plain.keys() ^ samples(families).keys()}
    assert not differ, differ
    for word in WORDS:
        name, path, define = re.split("[=:]", word)
        with open(path, encoding="ascii") as file:
            source = file.read()
        source = source[source.index(f"#define {define}(X)"):].split("\n\n")[0]
        keys = re.findall(r"\bX\((\w+),", source)
        assert keys, source
        for key in keys:
            values = [value for (sample, _), value in plain.items()
                      if sample == f"sluice_{name}_{key}_total"]
            # the rendezvous server counts its requests to itself
            assert values and (not any(values) or name == "rendezvous"), (key, values)
    print(text, end="")


def value(text, pattern):
    name, labels = re.fullmatch(r"(\w+)(?:{(.*)})?", pattern).groups()
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', labels or ""))
    found = [number for (known, own), number in
             parsed(text).items()
             if known == name and wanted.items() <= dict(own).items()]
    assert len(found) == 1, f"{pattern}: {len(found)} series\n{text}"
    print(f"{found[0]:.15g}")


def protocol():
    for path in "/livez", "/readyz", "/startupz":
        answer, text = request(path)
        assert (answer.status, text) == (200, "ok\n"), (path, answer.status, text)
        assert answer.getheader("Connection") == "close"
    answer, text = request("/metrics", "HEAD")
    assert (answer.status, text) == (200, ""), text
    answer, text = request("/")
    assert answer.status == 404 and "/metrics" in text, text
    for method in "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "NONE":
        answer, text = request("/metrics", method)
        assert answer.status in (400, 405, 501), (method, answer.status)
        assert "sluice_" not in text


if CHECK == "formats":
    formats()
elif CHECK == "value":
    _, text = request("/metrics")
    for word in WORDS:
        value(text, word)
elif CHECK == "get":
    answer, text = request(WORDS[0])
    print(answer.status, text, end="")
else:
    protocol()
