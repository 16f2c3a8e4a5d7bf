"""Programs of the virtualenv of others: the same work as Acervo does, as their own manuals have it.

They run in that virtualenv and import nothing of Acervo.
"""
