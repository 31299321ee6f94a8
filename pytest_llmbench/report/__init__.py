"""A session's record in the forms that people and programs read; nothing here judges or prints.

Rooms: :mod:`.rows` (what a table says, as facts), :mod:`.columns`, :mod:`.choices` and
:mod:`.table` (which of it is shown, and its drawing), :mod:`.summary` (what is said below it),
:mod:`.failure` (what a failed test shows), :mod:`.json_report` and :mod:`.json_schema` (the results
file and its schema), :mod:`.exports` (what is made of it for people and other tools),
:mod:`.trends` (a baseline over time), and :mod:`.text`, which keeps text that a model or an engine
wrote from being anything but text.
"""
