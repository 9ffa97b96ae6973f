"""Who can reach whom, as sets: all packets between all ends at once, instead of one flow after the other.

    matrix = connectivity(Reach(universe([cluster])))   # groups of ends with equal answers, and what may pass between them
    changes = difference(load(before, after))           # what another state of the resources opens and closes, and through what

The judge of all of it is ``tortie.verdict``, asked flow by flow.
"""
