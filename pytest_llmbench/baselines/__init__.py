"""Kept sessions on disk: the stored format and its history, what is kept, and the store.

Nothing stored changes without being asked. A file that is corrupt or newer than this version is
an error, never skipped and never overwritten by :meth:`.store.Store.add`.
"""
