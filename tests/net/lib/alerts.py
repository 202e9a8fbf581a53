# SPDX-License-Identifier: GPL-2.0-or-later
"""
Prints the unit tests of alert rules for promtool: alerts.py RULES. In each test, a fault changes
one series of a healthy node, and exactly one rule fires after 40 minutes.
"""
import json
import re
import sys

NODE = 'job="sluice",instance="a"'
# a PodMonitor without jobLabel names its job so
POD = 'job="monitoring/sluice",instance="b"'
OTHER = 'job="another-sluice",instance="c"'
HEALTHY = {
    f"up{{{OTHER}}}": "0x40",
    f"up{{{POD}}}": "1x40",
    f"up{{{NODE}}}": "1x40",
    f'sluice_section_configured{{{NODE},section="reply"}}': "1x40",
    f'sluice_section_applied{{{NODE},section="reply"}}': "1x40",
    f"sluice_config_last_reload_successful{{{NODE}}}": "1x40",
    f'sluice_object_readable{{{NODE},object="hold"}}': "1x40",
    f'sluice_object_loaded{{{NODE},object="hold"}}': "1x40",
    f'sluice_table_entries{{{NODE},object="reply",table="flows"}}': "50x40",
    f'sluice_table_capacity{{{NODE},object="reply",table="flows"}}': "100x40",
    f'sluice_table_entries{{{NODE},object="hold",table="flows"}}': "90x40",
    f'sluice_table_capacity{{{NODE},object="hold",table="flows"}}': "100x40",
    f'sluice_steer_flows{{{NODE},netns="host",port="53"}}': "50x40",
    f'sluice_steer_flows_capacity{{{NODE},netns="host",port="53"}}': "100x40",
    # not loaded
    f'sluice_table_entries{{{NODE},object="wire",table="flows"}}': "0x40",
    f'sluice_table_capacity{{{NODE},object="wire",table="flows"}}': "0x40",
    f"sluice_reply_evicted_total{{{NODE}}}": "5x40",
    f"sluice_wire_evicted_total{{{NODE}}}": "5x40",
    f'sluice_steer_kernel_no_worker_total{{{NODE},netns="host",port="53"}}': "5x40",
    f'sluice_steer_all_full_total{{{NODE},netns="host",port="53"}}': "5x40",
    f"sluice_hold_sending{{{NODE}}}": "1x40",
    f"sluice_rendezvous_registrations{{{NODE}}}": "10x40",
    f"sluice_rendezvous_registrations_limit{{{NODE}}}": "100x40",
    f"sluice_rendezvous_self_check_seconds{{{NODE}}}": "0.001x40",
    f'sluice_peer_target{{{NODE},peer="bob"}}': "1x40",
    f'sluice_peer_up{{{NODE},peer="bob"}}': "1x40",
    f'sluice_peer_relayed{{{NODE},peer="bob"}}': "0x40",
    # a peer that may connect to this one, and does not
    f'sluice_peer_target{{{NODE},peer="carol"}}': "0x40",
    f'sluice_peer_up{{{NODE},peer="carol"}}': "0x40",
    f'sluice_peer_relayed{{{NODE},peer="carol"}}': "0x40",
    f"sluice_peer_servers_registered{{{NODE}}}": "1x40",
}
# the rule, the series that the fault changes, and its values
FAULTS = [
    ("SluiceDown", f"up{{{NODE}", "0x40"),
    ("SluiceDown", f"up{{{POD}", "0x40"),
    ("SluiceSectionWaiting", "sluice_section_applied{", "0x40"),
    ("SluiceReloadRefused", "sluice_config_last_reload_successful{", "0x40"),
    ("SluiceUnreadable", "sluice_object_readable{", "0x40"),
    ("SluiceTableNearlyFull", f'sluice_table_entries{{{NODE},object="reply"', "51x40"),
    ("SluiceTableNearlyFull", f'sluice_table_entries{{{NODE},object="hold"', "91x40"),
    ("SluiceTableNearlyFull", "sluice_steer_flows{", "51x40"),
    ("SluiceFlowsEvicted", "sluice_wire_evicted_total{", "5+1x40"),
    ("SluiceNoWorker", "sluice_steer_kernel_no_worker_total{", "5+1x40"),
    ("SluiceQueuesFull", "sluice_steer_all_full_total{", "5+1x40"),
    ("SluiceNoKeepalives", "sluice_hold_sending{", "0x40"),
    ("SluiceRendezvousFull", "sluice_rendezvous_registrations{", "95x40"),
    ("SluiceRendezvousSilent", "sluice_rendezvous_self_check_seconds{", "0x40"),
    ("SluicePeerDown", f'sluice_peer_up{{{NODE},peer="bob"', "0x40"),
    ("SluicePeerRelayed", f'sluice_peer_relayed{{{NODE},peer="carol"', "1x40"),
    ("SluicePeerUnregistered", "sluice_peer_servers_registered{", "0x40"),
]

with open(sys.argv[1], encoding="ascii") as file:
    rules = re.findall(r"- alert: (\w+)", file.read())
assert rules == list(dict.fromkeys(rule for rule, _, _ in FAULTS)), rules


def test(fault, name, values):
    series = [{"series": one, "values": values if name and one.startswith(name) else healthy}
              for one, healthy in HEALTHY.items()]
    # a count of the alerts, so that their labels and texts need not be repeated here
    checks = [{"expr": f'count(ALERTS{{alertstate="firing",alertname="{rule}"}}) or vector(0)',
               "eval_time": "40m",
               "exp_samples": [{"labels": "{}", "value": 1 if rule == fault else 0}]}
              for rule in rules]
    return {"interval": "1m", "input_series": series, "promql_expr_test": checks}


# JSON is YAML
json.dump({"rule_files": [sys.argv[1]], "evaluation_interval": "1m",
           "tests": [test(*fault) for fault in [(None, None, None), *FAULTS]]}, sys.stdout, indent=1)
