"""Folders of recordings: which files are calls, what their names say, and which are done."""
