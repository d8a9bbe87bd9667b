"""From the kernel to changes. The only folder that knows inotify and the table of mounts."""
