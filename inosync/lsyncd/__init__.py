"""lsyncd's config, translated into ours. Only lua.py runs Lua."""
