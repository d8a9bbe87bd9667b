"""What is known of the program rsync without running it. Pure; imports changes at most."""
