"""Who is measured when: from a configuration to a judged session.

:mod:`.plan` lists the cases, :mod:`.rounds` measures one, :mod:`.bench` keeps the variants and
what was measured, :mod:`.judged` holds all of it against limits and baseline, :mod:`.result` is
what a test gets.
"""
