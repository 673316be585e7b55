"""What each command of ``calmline`` does, one file a concern. Imported by ``api.cli`` only when its command runs."""
