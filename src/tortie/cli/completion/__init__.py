"""What shells ask while somebody types a command: which words could come next.

    shell script (``scripts``) ─► tortie __complete SHELL WORD… ─► ``answer`` ─► the table ``words`` │ names from the datastore

The table is made from the commands by ``make reference`` (``table``), so that answering loads neither them nor click.
"""
