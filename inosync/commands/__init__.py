"""What ``inosync --X`` does: with the running daemon, or without one."""
