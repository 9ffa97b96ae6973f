"""Who is in each IP set: all peers of the cluster against the selectors of the sets that this host uses.

    peers ───────► before ┐                        ┌─► owners (who has each address)
                          ├─► difference ──► deltas│   postings (who has each label that a selector asks for)
    profiles' labels ► after ┘                     └─► listing (who lists each profile)

Who is in a set is never stored: it follows from labels, before a change and after it. A peer that leaves a set takes an address
along only if no other owner of that address is in the set; there is rarely another. First the active sets hear of their
changes, then new sets are made from what is there, then old ones go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from tortie.calc.hoststate import AddressPort, IPSetDelta, IPSetId, IPSetRemove, IPSetUpdate, Member
from tortie.calc.labels import LabelsOfProfile, effective_labels
from tortie.calc.listing import Listing
from tortie.calc.owners import Owners
from tortie.calc.peers import Peer, PeerId
from tortie.calc.profiles import ProfileTable
from tortie.calc.rules import SelectorSet
from tortie.calc.visits import Visits
from tortie.selectors.clauses import clauses_of, is_exact
from tortie.selectors.postings import ItemPostings, SelectorFiles

_Pairs = defaultdict[IPSetId, set[Member]]
"""Members by set."""


class MemberIndex:
    """The peers of the cluster and the active sets of selectors; ``flush`` gives what changed since the last one."""

    def __init__(self, profiles: ProfileTable, visits: Visits) -> None:
        self._profiles = profiles
        self._visits = visits
        self.peers: dict[PeerId, Peer] = {}
        self._before: dict[PeerId, Peer | None] = {}
        """What those peers were at the last flush that were touched since."""
        self._owners = Owners()
        self._listing: Listing[str, Peer] = Listing()
        """The peers that list each profile."""
        self._sets: dict[IPSetId, SelectorSet] = {}
        self._files = SelectorFiles()
        self._postings: ItemPostings[Peer] = ItemPostings()

    def set_peer(self, peer_id: PeerId, peer: Peer | None) -> None:
        """What a peer is from now on; None: there is none."""
        before = self.peers.pop(peer_id, None)
        if peer is not None:
            self.peers[peer_id] = peer
        if self._is_labelled:
            self._before.setdefault(peer_id, before)
            return
        # No set is active that could hear of it: so it is at a cold start, where all peers of the cluster come.
        if before is not None:
            self._unlink(before)
        if peer is not None:
            self._link(peer)

    def flush(
        self, activated: Iterable[SelectorSet], deactivated: Iterable[IPSetId]
    ) -> tuple[list[IPSetUpdate | IPSetDelta], list[IPSetRemove]]:
        """What sets and members came, and what sets went, since the last call; both by id, new sets first."""
        removals = [IPSetRemove(id=set_id) for set_id in sorted(deactivated)]
        for removal in removals:
            del self._sets[removal.id]
            self._files.discard(removal.id)
        changes = self._take_changes()
        deltas = self._apply(changes)
        return [*self._activate(sorted(activated, key=lambda wanted: wanted.id)), *deltas], removals

    # --- what differs since the last flush -----------------------------------------------------------------------------------

    def _take_changes(self) -> list[tuple[Peer | None, Peer | None]]:
        """(before, after) of each peer that differs, or whose profiles do."""
        changes = []
        touched = set()
        for peer_id, before in self._before.items():
            after = self.peers.get(peer_id)
            if before is not None and after is not None and before.is_like(after):
                self.peers[peer_id] = before  # That is the object which the indexes know.
            elif before is not after:
                changes.append((before, after))
                touched.add(before)
        self._before.clear()
        for profile in self._profiles.relabelled if self._is_labelled else ():
            for peer in self._listing.of(profile):
                if peer not in touched:
                    changes.append((peer, peer))
                    touched.add(peer)
        return changes

    def _apply(self, changes: Sequence[tuple[Peer | None, Peer | None]]) -> list[IPSetDelta]:
        self._visits.count += len(changes)
        pairs_before: _Pairs = defaultdict(set)
        pairs_after: _Pairs = defaultdict(set)
        touched = {after for _, after in changes}
        for before, after in changes:
            if before is not None:
                self._leave(before, pairs_before)
                if before is not after:
                    self._unlink(before)
        for before, after in changes:
            if after is not None:
                self._join(after, pairs_after)
                if before is not after:
                    self._link(after)
        return [
            delta
            for set_id in sorted(pairs_before.keys() | pairs_after.keys())
            if (delta := self._delta(set_id, pairs_before[set_id], pairs_after[set_id], touched)) is not None
        ]

    def _leave(self, peer: Peer, pairs: _Pairs) -> None:
        labels = peer.effective_labels(self._profiles.labels_before)
        self._postings.discard(peer, labels)
        self._add_pairs(pairs, peer, labels)

    def _join(self, peer: Peer, pairs: _Pairs) -> None:
        labels = peer.effective_labels(self._profiles.labels_of)
        self._postings.add(peer, labels)
        self._add_pairs(pairs, peer, labels)

    def _unlink(self, peer: Peer) -> None:
        self._owners.discard(peer)
        self._listing.discard(peer, peer.profiles)

    def _link(self, peer: Peer) -> None:
        self._owners.add(peer)
        self._listing.add(peer, peer.profiles)

    @property
    def _is_labelled(self) -> bool:
        """Whether anyone asked for labels yet."""
        return bool(self._postings or self._files)

    def _add_pairs(self, pairs: _Pairs, peer: Peer, labels: Mapping[str, str]) -> None:
        for set_id in self._sets_of(labels):
            pairs[set_id].update(peer.members(self._sets[set_id].port))

    def _sets_of(self, labels: Mapping[str, str]) -> Iterator[IPSetId]:
        candidates = self._files.candidates(labels)
        self._visits.count += len(candidates)
        return (IPSetId(set_id) for set_id, selector in candidates.items() if selector.matches(labels))

    def _delta(
        self, set_id: IPSetId, before: set[Member], after: set[Member], touched: set[Peer | None]
    ) -> IPSetDelta | None:
        added, removed = after - before, before - after
        for members in (added, removed):
            members -= {member for member in members if self._has_another_owner(set_id, member, touched)}
        if not added and not removed:
            return None
        return IPSetDelta(id=set_id, added=frozenset(added), removed=frozenset(removed))

    def _has_another_owner(self, set_id: IPSetId, member: Member, touched: set[Peer | None]) -> bool:
        """Whether a peer that did not change brings *member* to the set."""
        wanted = self._sets[set_id]
        network = member.address.network() if isinstance(member, AddressPort) else member
        for peer in self._owners.of(network):
            if peer in touched:
                continue
            self._visits.count += 1
            brings = wanted.port is None or member in peer.members(wanted.port)
            if brings and wanted.selector.matches(peer.effective_labels(self._profiles.labels_of)):
                return True
        return False

    # --- sets that come into use ---------------------------------------------------------------------------------------------

    def _activate(self, wanted: Sequence[SelectorSet]) -> list[IPSetUpdate]:
        labels_of = self._profiles.labels_of
        missing = self._postings.missing(clause for new in wanted for clause in clauses_of(new.selector.node))
        if missing:
            self._visits.count += len(self.peers)
            self._postings.begin(missing, self._having(missing))
        return [IPSetUpdate(id=new.id, members=frozenset(self._file(new, labels_of))) for new in wanted]

    def _having(self, names: AbstractSet[str]) -> Iterator[tuple[Peer, dict[str, str]]]:
        """The peers that have labels of *names*, with those alone: all peers are looked at, and few labels asked for."""
        given = self._profiles.giving(names)
        places: dict[tuple[str, ...], list[tuple[str, int]]] = {}
        for peer in self.peers.values():
            own = places.get(peer.names)
            if own is None:
                own = places[peer.names] = [(name, index) for index, name in enumerate(peer.names) if name in names]
            labels = effective_labels((), (), peer.profiles, given.get) if given else {}
            for name, index in own:
                labels[name] = peer.values[index]
            if labels:
                yield peer, labels

    def _file(self, new: SelectorSet, labels_of: LabelsOfProfile) -> Iterator[Member]:
        self._sets[new.id] = new
        clause = self._files.file(new.id, new.selector, self._postings.count)
        candidates = self.peers.values() if clause is None else self._postings.candidates(clause)
        self._visits.count += len(candidates)
        if clause is not None and is_exact(new.selector.node):
            matching: Iterable[Peer] = candidates
        else:
            matches = new.selector.matches
            matching = (peer for peer in candidates if matches(peer.effective_labels(labels_of)))
        return (member for peer in matching for member in peer.members(new.port))
