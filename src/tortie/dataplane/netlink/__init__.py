"""Our netlink codec and socket (DESIGN decision 7): all that the agent does often speaks to the kernel through it.

``message`` packs and reads messages and attributes, ``socket`` sends and receives them; both are shared by nf_tables,
rtnetlink, generic netlink and conntrack, whose own messages are in modules of their own.
"""
