"""Faults of one line that are put into copies of the code, to see that the tests which decide find them.

Each is a line as it is, word for word, and as it would be with the fault. They are such as people make: a forgotten case, a wrong
side, an order turned round, a change that is not told. None is found by types or by the program ending at its start.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2] / "src"


class Fault(NamedTuple):
    """A line of a file, and the wrong one in its place."""

    name: str
    file: str
    """Below ``src/tortie``."""
    old: str
    new: str

    def apply(self, source: Path) -> None:
        """Put it into a copy of the sources; ValueError unless the line is there just once."""
        path = source / "tortie" / self.file
        text = path.read_text()
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"fault {self.name!r}: the line is in {self.file} {count} times: {self.old}")
        path.write_text(text.replace(self.old, self.new))


CALC = (
    Fault(
        "notSelector alone does not limit a rule to the policy's namespace", "calc/scoping.py",
        "if scope and (positive or peer.not_selector or peer.namespace_selector):",
        "if scope and (positive or peer.namespace_selector):",
    ),
    Fault(
        "namespaceSelector all() selects what has no namespace too", "calc/scoping.py",
        'return text.replace("all()", _NAMESPACED).replace("global()", f"!{_NAMESPACED}")',
        'return text.replace("global()", f"!{_NAMESPACED}")',
    ),
    Fault(
        "service accounts are selected by name only", "calc/scoping.py",
        'return f"({selector}) && ({names})" if selector else names',
        "return names",
    ),
    Fault(
        "a policy's serviceAccountSelector is about pod labels", "calc/scoping.py",
        "return parse(_and_prefixed(text, spec.service_account_selector, SERVICE_ACCOUNT_PREFIX))",
        'return parse(_and_prefixed(text, spec.service_account_selector, ""))',
    ),
    Fault("notPorts by number are forgotten", "calc/rules.py", "not_ports=not_ports,", "not_ports=(),"),
    Fault(
        "numbered ports beside named ones are open to everybody", "calc/rules.py",
        "needs_positive = positive is not None and (ports or not names)",
        "needs_positive = positive is not None and not names",
    ),
    Fault("notICMP is forgotten", "calc/rules.py", "not_icmp=_icmp_match(rule.not_icmp),", "not_icmp=None,"),
    Fault(
        "an ICMP code is forgotten", "calc/rules.py",
        "return ICMPMatch(fields.type, fields.code) if", "return ICMPMatch(fields.type, None) if",
    ),
    Fault(
        "a service is always looked for in the policy's namespace", "calc/rules.py",
        "named = ServiceName(service.namespace or namespace, service.name)",
        "named = ServiceName(namespace or service.namespace, service.name)",
    ),
    Fault(
        "named ports of all protocols share a set", "calc/rules.py",
        'set_id = named_port_id(selector.id, str(protocol).lower() if protocol is not None else "any", name)',
        'set_id = named_port_id(selector.id, "any", name)',
    ),
    Fault(
        "a new slice of a service is not heard of", "calc/services.py",
        "            self._touched.add(_service_of(value))", "            _service_of(value)",
    ),
    Fault(
        "of several profiles with a label the last one wins", "calc/labels.py",
        "for profile in reversed(profiles):", "for profile in profiles:",
    ),
    Fault(
        "a missing tier has its place by name among the others", "calc/resolver.py",
        "return tier is None, DEFAULT_TIER_ORDER if order is None else order, name",
        "return False, DEFAULT_TIER_ORDER if order is None else order, name",
    ),
    Fault(
        "a missing tier passes", "calc/resolver.py",
        'action = tier.spec.default_action if tier is not None else "Deny"',
        'action = tier.spec.default_action if tier is not None else "Pass"',
    ),
    Fault(
        "a policy without order comes first", "calc/resolver.py",
        "(math.inf if order is None else order, policy_id.tie_break)", "(order or 0.0, policy_id.tie_break)",
    ),
    Fault(
        "forward policy has no end-of-tier deny", "calc/resolver.py",
        "return self in (Stage.NORMAL, Stage.FORWARD)", "return self is Stage.NORMAL",
    ),
    Fault(
        "ties are broken by namespace first", "calc/hoststate.py",
        'return f"{self.name}/{self.namespace}/{self.kind}"', 'return f"{self.namespace}/{self.name}/{self.kind}"',
    ),
    Fault(
        "a policy of egress rules alone governs ingress too", "calc/policies.py",
        "return frozenset((Direction.INGRESS, Direction.EGRESS) if spec.ingress else (Direction.EGRESS,))",
        "return frozenset((Direction.INGRESS, Direction.EGRESS))",
    ),
    Fault(
        "an applyOnForward policy is for forwarded traffic alone", "calc/policies.py",
        "return frozenset((Stage.NORMAL, Stage.FORWARD) if spec.apply_on_forward else (Stage.NORMAL,))",
        "return frozenset((Stage.FORWARD,) if spec.apply_on_forward else (Stage.NORMAL,))",
    ),
    Fault(
        "an address goes with its first owner", "calc/members.py",
        "            if peer in touched:\n                continue", "            if peer is not None:\n                continue",
    ),
    Fault(
        "labels of a namespace that change are not heard of", "calc/members.py",
        "                if peer not in touched:", "                if peer in touched:",
    ),
    Fault(
        "a missing profile lets in", "calc/profiles.py",
        "MISSING_PROFILE = HostProfile(ingress=(HostRule(action=Action.DENY),),",
        "MISSING_PROFILE = HostProfile(ingress=(HostRule(action=Action.ALLOW),),",
    ),
    Fault(
        "settings of all nodes win over those of one", "calc/settings.py",
        "for name in (GLOBAL, *self._selecting(), self._own):", "for name in (self._own, *self._selecting(), GLOBAL):",
    ),
    Fault(
        "who is governed does not follow the labels of namespaces", "calc/graph.py",
        "relabelled = {i for profile in self._profiles.relabelled for i in self._local.listing(profile)}",
        "relabelled: set[EndpointId] = set()",
    ),
    Fault(
        "an unused policy for hosts is active because of workloads", "calc/active.py",
        "return any(is_host_endpoint(endpoint_id) for endpoint_id in endpoints)", "return bool(endpoints)",
    ),
)  # fmt: skip

RULESET = (
    Fault(
        "a range of ports ends where one within it does", "ruleset/rules.py",
        "ranges[-1] = Range(ranges[-1].first, max(last, ranges[-1].last))", "ranges[-1] = Range(ranges[-1].first, last)",
    ),
    Fault(
        "notNets of one family leave the rule in the other", "ruleset/rules.py",
        "lists = [nets for peer in _peers(rule) for nets in (peer.nets, peer.not_nets) if nets]",
        "lists = [nets for peer in _peers(rule) for nets in (peer.nets,) if nets]",
    ),
    Fault(
        "notProtocol means protocol", "ruleset/rules.py",
        "yield ProtocolMatch(rule.not_protocol, negate=True)", "yield ProtocolMatch(rule.not_protocol)",
    ),
    Fault(
        "notSelector means selector", "ruleset/rules.py",
        "yield SetMatch(side, family, set_names(set_id, family), negate=True)",
        "yield SetMatch(side, family, set_names(set_id, family))",
    ),
    Fault(
        "after a Pass the tier's next group is asked", "ruleset/chains.py",
        "yield Rule((lacks_bit(passed),) if may_have_passed else (), (Jump(group.chain),))",
        "yield Rule((), (Jump(group.chain),))",
    ),
    Fault(
        "after a Pass the tier denies", "ruleset/chains.py",
        "guard = (lacks_bit(passed),) if may_have_passed else ()", "guard = ()",
    ),
    Fault(
        "Pass in a profile allows", "ruleset/chains.py",
        "effective.append(msgspec.structs.replace(rule, action=Action.DENY) if",
        "effective.append(msgspec.structs.replace(rule, action=Action.ALLOW) if",
    ),
    Fault(
        "tunnels are looked for in what a workload receives", "ruleset/chains.py",
        "if place is Place.WORKLOAD_EGRESS:", "if place is Place.WORKLOAD_INGRESS:",
    ),
    Fault(
        "failsafes of what a host sends are those of what it receives", "ruleset/failsafes.py",
        '_TO_OUTBOUND_PORTS = (("failsafes_out", Side.DESTINATION, Side.DESTINATION),)',
        '_TO_OUTBOUND_PORTS = (("failsafes_in", Side.DESTINATION, Side.DESTINATION),)',
    ),
    Fault(
        "a failsafe's net does not count", "ruleset/failsafes.py",
        "within = (NetsMatch(net_side, (net,)),) if net is not None else ()", "within = ()",
    ),
    Fault(
        "what pre-DNAT policy allows skips forward policy", "ruleset/stages.py",
        "yield from self._allowed_untracked(Place.UNTRACKED_IN)",
        "yield from self._allowed_on_its_way_in()",
    ),
    Fault(
        "what pre-DNAT policy allows is judged again", "ruleset/stages.py",
        "yield from self._allowed_on_its_way_in()",
        "yield from self._allowed_untracked_on_its_way_in()",
    ),
    Fault(
        "defaultEndpointToHostAction Return drops", "ruleset/stages.py",
        "if self._options.endpoint_to_host_action is EndpointToHostAction.DROP:",
        "if self._options.endpoint_to_host_action is not EndpointToHostAction.ACCEPT:",
    ),
    Fault(
        "of two host endpoints on an interface the last name wins", "ruleset/hostinterfaces.py",
        "for endpoint_id, endpoint in sorted(endpoints.items()):",
        "for endpoint_id, endpoint in sorted(endpoints.items(), reverse=True):",
    ),
    Fault(
        "of two workloads on a link the last by rank has it", "ruleset/dispatch.py",
        "min(claims, key=lambda claim: claim.rank)", "max(claims, key=lambda claim: claim.rank)",
    ),
    Fault(
        "a link that a workload leaves keeps its rules", "ruleset/dispatch.py",
        "self._relinked.add(before.ifname)", "self._relinked.add(endpoint.ifname if endpoint else before.ifname)",
    ),
    Fault(
        "an interface needs all of the expected addresses", "ruleset/hostinterfaces.py",
        "if not expected.isdisjoint(addresses)]", "if expected <= addresses]",
    ),
    Fault(
        "profiles of host endpoints do not count for what the host sends", "ruleset/contents.py",
        "profiles = endpoint.profiles if place in HOSTS_OWN_PLACES else ()",
        "profiles = endpoint.profiles if place in (Place.HOST_IN,) else ()",
    ),
    Fault("staged policies are enforced", "ruleset/contents.py", "        if self.staged:", "        if not self.staged:"),
    Fault(
        "workloads may always spoof what they asked for", "ruleset/compiler.py",
        "may = self._options.may_spoof", "may = True",
    ),
    Fault(
        "endpoints under other policies stay in their class", "ruleset/dispatch.py",
        "            self._dirty.add(endpoint.ifname)", "            self._dirty.discard(endpoint.ifname)",
    ),
    Fault(
        "a policy that others use too joins a group", "ruleset/grouping.py",
        "return other is not None and times == len(member.lists) == len(other.lists)",
        "return other is not None and times == len(member.lists)",
    ),
    Fault(
        "members that leave a set stay in the kernel's", "ruleset/sets.py",
        "            touched.setdefault(member, True)", "            touched.setdefault(member, False)",
    ),
    Fault(
        "a list of policies goes on after a Pass", "ruleset/linear.py",
        "if policy_id in self._passing and policy_id is not self._policies[-1]:",
        "if policy_id not in self._passing and policy_id is not self._policies[-1]:",
    ),
    Fault(
        "a rule may be looked up before what it must not come before", "ruleset/runs/joins.py",
        "return min((run if slot.rank >= rank else run + 1) * RANKS + slot.rank, self._highest)",
        "return min(run * RANKS + slot.rank, self._highest)",
    ),
    Fault(
        "a tuple is the last one's who has it", "ruleset/runs/owners.py",
        "insort(several, slot, key=_order)", "several.append(slot)",
    ),
    Fault(
        "one rule that passes is not noticed", "ruleset/runs/group.py",
        "self.can_pass = self._actions[Action.PASS] > 0", "self.can_pass = self._actions[Action.PASS] > 1",
    ),
    Fault(
        "tuples of members that leave stay", "ruleset/runs/tuplesets.py",
        "        self._owners.remove(slot, slot.part.keys.of_members(delta.removed))", "        slot.part.keys.of_members(delta.removed)",
    ),
)  # fmt: skip

DRIVER = (
    Fault(
        "the destination's port is read where the source's is", "dataplane/nft/encode.py",
        "PORT_OFFSET = {Side.SOURCE: 0, Side.DESTINATION: 2}", "PORT_OFFSET = {Side.SOURCE: 0, Side.DESTINATION: 0}",
    ),
    Fault(
        "an IPv6 source is read where the destination is", "dataplane/nft/encode.py",
        "(Family.V6, Side.SOURCE): 8,", "(Family.V6, Side.SOURCE): 24,",
    ),
    Fault(
        "families are swapped", "dataplane/nft/encode.py",
        'NFPROTO = {Family.V4: b"\\x02", Family.V6: b"\\x0a"}', 'NFPROTO = {Family.V4: b"\\x0a", Family.V6: b"\\x02"}',
    ),
    Fault(
        "a range of ports is its first port", "dataplane/nft/encode.py",
        "self._add(Compare(Operator.GTE, first), Compare(Operator.LTE, last))",
        "self._add(Compare(Operator.GTE, first), Compare(Operator.LTE, first))",
    ),
    Fault(
        "an interval ends one too early", "dataplane/nft/elements.py",
        'return Piece(begin), Piece((last + 1).to_bytes(length, "big"), end=True)',
        'return Piece(begin), Piece(last.to_bytes(length, "big"), end=True)',
    ),
    Fault(
        "ports of tuples are in the wrong byte order", "dataplane/nft/elements.py",
        'else value.to_bytes(length, "big")', 'else value.to_bytes(length, "little")',
    ),
    Fault(
        "a source is good if any interface leads to it", "dataplane/nft/expressions.py",
        "FIB_SOURCE_IS_ROUTED_BACK = 0x1 | 0x8 | 0x20", "FIB_SOURCE_IS_ROUTED_BACK = 0x1 | 0x20",
    ),
    Fault(
        "chains that an earlier run has left stay as they are", "dataplane/nft/difference.py",
        "elif known and known.rules == rules:", "elif known:",
    ),
    Fault(
        "map entries that an earlier run has left stay", "dataplane/nft/difference.py",
        "gone = tuple(sorted(entries.keys() - wanted.entries.keys()))", "gone: tuple[str, ...] = ()",
    ),
    Fault(
        "elements are never removed", "dataplane/nft/model.py",
        "removed = frozenset(e for e in delta.removed if e in known.elements and e not in delta.added)",
        "removed: frozenset[Element] = frozenset()",
    ),
    Fault(
        "a map entry that changes is only added", "dataplane/nft/model.py",
        "replaced = tuple(ifname for ifname, _ in changed if ifname in entries)", "replaced: tuple[str, ...] = ()",
    ),
)  # fmt: skip

ASSERTIONS = (
    Fault(
        "a test holds if some of its packets pass", "analysis/assertions/pairs.py",
        "lacking = allowed.without(required, answer) if is_allow else allowed.both(required, answer)",
        "lacking = () if is_allow and allowed.both(required, answer) else required if is_allow else allowed.both(required, answer)",
    ),
    Fault(
        "of a network only whole places are asked about", "analysis/assertions/sides.py",
        "if not place.network.contains(network) or any(hole.contains(network) for hole in place.holes):",
        "if place.network != network:",
    ),
    Fault(
        "a host is asked about its own workloads", "analysis/assertions/pairs.py",
        "others &= ~self._of_host(number, by_source=asking.by_source)", "others &= ~0",
    ),
    Fault(
        "what a source may not send tries rules of the destination", "analysis/assertions/coverage.py",
        "left = required if asking.by_source else allowed.both(required, self._sent_to(number, asking))",
        "left = required",
    ),
    Fault(
        "a Pass takes packets from the next tier", "analysis/assertions/deciding.py",
        "self._undecided = [left | aside for left, aside in zip(goes_on, self._aside, strict=True)]",
        "self._undecided = list(goes_on)",
    ),
    Fault(
        "a rule takes nothing from later ones", "analysis/assertions/deciding.py",
        "                self._undecided[part] ^= matched", "                self._undecided[part] ^= 0",
    ),
)  # fmt: skip

FAULTS = CALC + RULESET + DRIVER + ASSERTIONS
