"""From traces and readings to metric values: pure functions, no clock, no file, no engine.

Raw timestamps are kept and everything else is derived here, so a definition can be corrected
without measuring again. Rooms: :mod:`.rounds` (one generation), :mod:`.taint` (was the machine
disturbed), :mod:`.score` (is the answer right), :mod:`.case` and :mod:`.life` (what a case and a
variant report).
"""
