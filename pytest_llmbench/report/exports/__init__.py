"""A session in the formats of other tools and of people: one exporter a file.

:mod:`.registry` names them all, and the options of ``pytest --llmbench`` and ``llmbench export``
are made of it. Every exporter reads :class:`pytest_llmbench.report.results.Results`, which is what
``--llmbench-json`` writes, whether it comes from the session at hand or from a file; it returns
text.
"""
