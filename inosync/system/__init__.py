"""One door to each outside thing: processes, signals, sockets, locks, the log, systemd."""
