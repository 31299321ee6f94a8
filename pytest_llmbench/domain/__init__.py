"""Frozen facts that every other part speaks of: no behaviour beyond what follows from them.

Rooms: :mod:`.metric` (the catalogue of metrics), :mod:`.variant`, :mod:`.suite`, :mod:`.case`,
:mod:`.trace` (what a round yields), :mod:`.gate` (limits and tolerances), :mod:`.record` (what
is kept of a session), :mod:`.verdict`.
"""
