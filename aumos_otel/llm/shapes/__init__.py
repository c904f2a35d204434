"""The shapes of what language-model clients return, one module a vocabulary.

Everything is told by attribute and key names: none of the client libraries is imported,
so a plain dict, a foreign model class and the real one read alike.
"""
