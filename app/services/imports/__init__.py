"""Taking in chat from other systems (SPEC 3.13): a source reads a format, the importer stores what it found.

`records` says what both agree on. A further format is a module beside `zulip` with a `Source`; nothing else changes.
"""
