# The host where files are made. It feeds two relays, which run inosync with relay.py and feed the
# rest: see docs/scale.rst.

wpath = "/var/www/"
rnodes = ["mirror@east.example.org:/var/www/", "mirror@west.example.org:/var/www/"]

# They are relays: "inosync --wait --all" waits for what they feed, too.
rrelay = True

# Lags add up along the chain.
edelay = 1
rscope = "changes"

# A relay watches /var/www and need not see files that are half there. This directory has to exist
# on the relays, on the same file system.
extra = "--temp-dir=/var/.tmp"
