"""The wire protocols of AWS and the operations spoken over them, one file a service.

A handler reads a request, acts on the `Account` and returns a plain document; how that travels is
`protocols.py`'s.
"""
