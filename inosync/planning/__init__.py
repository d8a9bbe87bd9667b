"""What one run carries, and the command line that does it. Pure."""
