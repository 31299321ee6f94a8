"""Is it a regression? A pure judge: records, gates and a baseline in, verdicts out.

A regression needs magnitude and evidence: the change has to lie beyond what is accepted with all
of its uncertainty. Rooms: :mod:`.compare` (one metric against the baseline's sessions),
:mod:`.limits` (absolute bounds), :mod:`.history` (which sessions are comparable),
:mod:`.disturbance` (was the measuring disturbed), :mod:`.explain` and :mod:`.uncompared`
(sentences and blocks), :mod:`.absence` (why a metric was not measured),
:mod:`.judge` (all of it together), :mod:`.outcome` (what a list of verdicts comes to).
"""
