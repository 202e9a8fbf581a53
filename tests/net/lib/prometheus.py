# SPDX-License-Identifier: GPL-2.0-or-later
"""
Queries a Prometheus server about the alert rules: prometheus.py ADDR:PORT CHECK.

  healthy        each rule is evaluated without an error, its metrics have series, and none fires
  firing NAME…   these fire
  quiet NAME…    these do not
  jobs NAME JOB… the rule fires for exactly these jobs
  says NAME TEXT the rule fires with this text in a summary
  list           prints the state of each rule
"""
import json
import re
import sys
import urllib.parse
import urllib.request

ADDRESS, CHECK, *WORDS = sys.argv[1:]


def ask(path, **query):
    url = f"http://{ADDRESS}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]


rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
assert len(rules) == 14, len(rules)
states = {rule["name"]: rule["state"] for rule in rules}
firing = sorted(name for name, state in states.items() if state == "firing")
if CHECK == "list":
    print(states)
elif CHECK == "firing":
    assert set(WORDS) <= set(firing), states
elif CHECK == "quiet":
    assert not set(WORDS) & set(firing), states
elif CHECK == "says":
    summaries = [alert["annotations"]["summary"] for rule in rules if rule["name"] == WORDS[0]
                 for alert in rule["alerts"] if alert["state"] == "firing"]
    assert any(WORDS[1] in summary for summary in summaries), summaries
elif CHECK == "jobs":
    alerts = [alert for rule in rules if rule["name"] == WORDS[0] for alert in rule["alerts"]]
    assert sorted(alert["labels"]["job"] for alert in alerts) == sorted(WORDS[1:]), alerts
else:
    for rule in rules:
        assert rule["health"] == "ok" and rule["state"] == "inactive", rule
        for name in re.findall(r"\b(?:up|sluice_\w+)\b", rule["query"]):
            assert ask("query", query=name)["result"], f"{rule['name']}: {name} has no series"
