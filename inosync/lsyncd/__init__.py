"""lsyncd's config, said in ours. Runs Lua in lua alone."""
