"""Where audio comes from: files, and this machine's own microphone."""
