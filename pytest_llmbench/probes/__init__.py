"""Read-only readers of the machine: they change nothing but the counters they are asked to reset.

Rooms: :mod:`.host_memory`, :mod:`.device_memory` and :mod:`.memory` (both together, at one moment
or over one memory pass), :mod:`.contention`, :mod:`.nvml`, :mod:`.environment` with what it is
made of (:mod:`.processor`, :mod:`.quota`, :mod:`.operating_system`, :mod:`.repository`,
:mod:`.machine`), and :mod:`.procfs`, which reads files that may not be there.

The roots of ``/proc`` and ``/sys``, clocks and NVML are arguments. What a system can't tell is
``None``, never zero. No probe imports a model library: one that is loaded is found loaded.
"""
